"""What a candidate costs beside its evaluation, counted: lines written, and syncs of the disk."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from evolve.analytic import options, search
from sdmerge.evolve.run import Budget


def test_a_candidate_is_two_lines_and_one_wait_for_the_disk(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One of its evaluation, one of its trial; per generation a state, a summary, an exam."""
    synced = 0
    sync = os.fsync

    def count(descriptor: int) -> None:
        nonlocal synced
        synced += 1
        sync(descriptor)

    monkeypatch.setattr(os, "fsync", count)
    trials = 60
    search(tmp_path / "s", options(validation=(), report=()), Budget(trials=trials), count=50)
    lines = {
        path.name: len(path.read_bytes().splitlines())
        for path in (tmp_path / "s").iterdir()
        if path.suffix in (".jsonl", ".log")
    }
    generations = lines["generations.jsonl"]
    assert lines["evaluations.jsonl"] <= trials + generations + 1
    assert lines["journal.log"] <= trials + 5
    assert synced <= trials + 5 * generations + 10
