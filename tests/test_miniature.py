"""The miniature benchmark: every row is computed, and one that was stopped goes on."""

from __future__ import annotations

from pathlib import Path

import pytest

from benchmarks.evolution.__main__ import run
from benchmarks.evolution.judging import COLUMNS
from benchmarks.evolution.reporting import described
from benchmarks.evolution.rows import fixed_rows, searched_rows
from benchmarks.evolution.searching import QUICK, Effort

LITTLE = Effort(trials=1, prompts=1, each=1, lines=1, seeds=1)


def kept(folder: Path) -> dict[str, float]:
    """What was evaluated, and when."""
    files = [*folder.glob("*/evaluations.jsonl"), *folder.glob("judged/*.json")]
    return {str(path.relative_to(folder)): path.stat().st_mtime_ns for path in files}


def test_a_share_is_searched_and_judged(tmp_path: Path) -> None:
    (one,) = run(tmp_path, LITTLE, searched_rows()[:2], part=1, parts=2)
    assert (one.name, one.seed) == ("CMA-ES, 3 genes", 0)
    assert set(one.evaluation.scores) == set(COLUMNS)
    assert one.found is not None
    assert [name.partition("/")[0] for name in sorted(kept(tmp_path))] == [
        "CMA-ES--3-genes-0", "judged"
    ]  # fmt: skip


@pytest.mark.long
def test_every_row_is_computed(tmp_path: Path) -> None:
    found = described(run(tmp_path, QUICK, searched_rows()))
    before = kept(tmp_path)
    assert described(run(tmp_path, QUICK, searched_rows())) == found
    assert kept(tmp_path) == before  # what is there is not done again
    names = [one["name"].partition(" = ")[0] for one in found["models"]]
    assert names == [row.name for row in (*fixed_rows(), *searched_rows())]
    assert all(0 <= one["scores"]["oracle"][0] <= 1 for one in found["models"])
    assert len({one["text"] for one in found["claims"]}) == 9
