"""The miniature benchmark: every row is computed, and one that was stopped goes on."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from benchmarks.evolution.__main__ import run
from benchmarks.evolution.reporting import described
from benchmarks.evolution.rows import fixed_rows, searched_rows
from benchmarks.evolution.searching import QUICK, Effort

LITTLE = Effort(trials=1, prompts=2, each=1, lines=2, seeds=1)


def tables(folder: Path, effort: Effort, word: str) -> dict[str, Any]:
    return described(run(folder, effort, [row for row in searched_rows() if word in row.name]))


def check(found: dict[str, Any], word: str) -> None:
    names = [one["name"].partition(" = ")[0] for one in found["models"]]
    wanted = [row.name for row in searched_rows() if word in row.name]
    assert names == [*(row.name for row in fixed_rows()), *wanted]
    assert all(0 <= one["scores"]["oracle"][0] <= 1 for one in found["models"])
    assert [one["seed"] for one in found["models"] if one["name"] in wanted] == [0] * len(wanted)
    assert all(one["evaluations"] for one in found["models"] if one["name"] in wanted)


def test_rows_are_computed_once(tmp_path: Path) -> None:
    found = tables(tmp_path, LITTLE, "layers")
    check(found, "layers")
    before = {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*.json*")}
    assert tables(tmp_path, LITTLE, "layers") == found
    assert {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*.json*")} == before


@pytest.mark.long
def test_every_row_is_computed(tmp_path: Path) -> None:
    found = tables(tmp_path, QUICK, "")
    check(found, "")
    assert len(found["claims"]) == 9
