"""Talk: only who knows the key is heard, and what goes wrong is told in words."""

from __future__ import annotations

import json
import os
import stat
import sys
from collections.abc import Iterator, Mapping
from multiprocessing import AuthenticationError
from multiprocessing.connection import Client
from pathlib import Path
from typing import Any

import pytest

from sdmerge.errors import PlanError
from sdmerge.jobs.lanes import Address, Lane
from sdmerge.jobs.talk import Answer, Desk, ask, calling


def handle(asked: Mapping[str, Any]) -> Answer:
    if asked["do"] == "fail":
        raise PlanError("does not fit", where="a.yaml:3", hint="Another base.")
    return {"echo": asked["text"]}, [b"one", b"", b"\x00" * (1 << 20)]


@pytest.fixture
def lane(tmp_path: Path) -> Iterator[Lane]:
    lane = Lane(tmp_path, "cuda:0")
    with lane.lock:
        desk = Desk(lane, handle)
        yield lane
        desk.close()


def address(lane: Lane) -> Address:
    found = lane.address()
    assert found is not None
    return found


def test_questions_and_answers(lane: Lane) -> None:
    found = address(lane)
    assert found.pid == os.getpid()
    with calling(found.port, bytes.fromhex(found.key)) as desk:
        for _ in range(2):
            data, pieces = ask(desk, {"do": "echo", "text": "絵"})
            assert data == {"echo": "絵"}
            assert [len(piece) for piece in pieces] == [3, 0, 1 << 20]
        data, _ = ask(desk, {"do": "fail"})
        assert data["error"] == {
            "what": "does not fit", "where": "a.yaml:3", "hint": "Another base.", "exit_code": 2
        }  # fmt: skip


def test_who_does_not_know_the_key_is_not_heard(lane: Lane) -> None:
    port = address(lane).port
    with pytest.raises(AuthenticationError), calling(port, b"a guess"):
        pass
    with Client(("127.0.0.1", port)) as silent:  # and says nothing: others are heard all the same
        assert silent.poll(60)
        found = address(lane)
        with calling(port, bytes.fromhex(found.key)) as desk:
            assert ask(desk, {"do": "echo", "text": "x"})[0] == {"echo": "x"}


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has other rights")
def test_nobody_else_reads_the_key(lane: Lane, tmp_path: Path) -> None:
    (file,) = (tmp_path / "lanes").glob("*.json")
    assert stat.S_IMODE(file.stat().st_mode) == 0o600


def test_an_address_of_a_process_that_is_gone_is_none(lane: Lane, tmp_path: Path) -> None:
    (file,) = (tmp_path / "lanes").glob("*.json")
    data = json.loads(file.read_text("utf-8"))
    file.write_text(json.dumps({**data, "born": data["born"] - 1}), "utf-8")
    assert lane.address() is None  # the number of a process is given again, its start is not
    file.write_text("{", "utf-8")
    assert lane.address() is None
