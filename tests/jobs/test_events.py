"""Events: whole lines, offsets, and progress that does not fill the disk."""

from __future__ import annotations

import math
from pathlib import Path

import pytest

from sdmerge.jobs import events
from sdmerge.jobs.events import Log, last_progress, read_events


def test_readers_go_on_where_they_were(tmp_path: Path) -> None:
    path = tmp_path / "events.jsonl"
    assert read_events(path) == ([], 0)
    log = Log(path)
    log.say("note", text="一つ\nline")
    found, offset = read_events(path)
    assert [(one.kind, one.data) for one in found] == [("note", {"text": "一つ\nline"})]
    assert read_events(path, offset) == ([], offset)
    with path.open("ab") as file:
        file.write(b'{"kind":"note","at":1,')  # its writer was killed
    assert read_events(path, offset) == ([], offset)
    log.say("result", data={"path": tmp_path, "score": math.nan}, text="", quiet="")
    found, _ = read_events(path, offset)
    assert [one.data["data"] for one in found] == [{"path": str(tmp_path), "score": None}]


def test_progress_is_told_at_times_and_at_the_end(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = 100.0
    monkeypatch.setattr(events.time, "monotonic", lambda: now)
    path = tmp_path / "events.jsonl"
    log = Log(path)
    for step in range(10001):  # a minute and forty seconds
        now = 100.0 + step / 100
        log.progress("merging", step, 10000, "bytes")
    log.progress("hashing", 0, 5, "files")
    found = [one.data for one in read_events(path)[0]]
    assert 100 < len(found) < 200
    half = next(one for one in found if one["done"] >= 5000)
    assert half["rate"] == pytest.approx(100)
    assert half["left"] == pytest.approx((10000 - half["done"]) / 100, abs=0.05)
    assert [one["done"] for one in found if one["phase"] == "merging"][-1] == 10000
    assert found[-1] == {
        "phase": "hashing", "done": 0, "total": 5, "unit": "files", "rate": 0.0, "left": None
    }  # fmt: skip


def test_the_last_progress_is_found_from_the_end(tmp_path: Path) -> None:
    path = tmp_path / "events.jsonl"
    assert last_progress(path) is None
    log = Log(path)
    for _ in range(400):
        log.say("note", text="日本" * 20)
    log.progress("drawing", 3, 9, "cells")
    log.say("note", text="x")
    found = last_progress(path)
    assert found is not None
    assert found.data["done"] == 3
