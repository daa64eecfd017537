"""kill -9 at any moment: at most the candidate in flight is lost, and nothing is decided anew."""

from __future__ import annotations

import os
import random
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest

from evolve.analytic import Formula, search, told_of
from evolve.killing import of_engine
from sdmerge.evolve.ledger import Ledger
from sdmerge.evolve.run import Budget
from sdmerge.evolve.workers import Local

SCRIPT = Path(__file__).with_name("killing.py")
ROOT = Path(__file__).resolve().parents[2]


def started(folder: Path, engine: str, trials: int) -> subprocess.Popen[bytes]:
    command = [sys.executable, str(SCRIPT), str(folder), engine, str(trials)]
    path = os.pathsep.join([str(ROOT), str(ROOT / "tests")])
    return subprocess.Popen(command, env={**os.environ, "PYTHONPATH": path})


def killed(folder: Path, engine: str, trials: int, lines: int) -> None:
    """A run that is killed as soon as its log has that many lines, or that came to its end."""
    process = started(folder, engine, trials)
    log = folder.with_suffix(".log")
    while process.poll() is None:
        if log.exists() and log.read_bytes().count(b"\n") >= lines:
            process.kill()
    assert process.wait() in (0, -9)


def unbroken_and_broken(tmp_path: Path, engine: str, kills: int, seed: int) -> None:
    trials, dice = 60, random.Random(seed)
    whole, broken = tmp_path / "whole", tmp_path / "broken"
    whole_log, broken_log = tmp_path / "whole.log", tmp_path / "broken.log"
    chosen = of_engine(engine)
    search(whole, chosen, Budget(trials=trials), Local(Formula(whole_log)))
    count = len(whole_log.read_text().splitlines())
    for at in sorted(dice.sample(range(2, count), kills)):
        killed(broken, engine, trials, at)
    search(broken, chosen, Budget(trials=trials), Local(Formula(broken_log)))
    assert told_of(broken) == told_of(whole)
    assert Ledger(broken).generations == Ledger(whole).generations
    mine, theirs = (
        {key: (row.candidate, row.exam, row.evaluation) for key, row in Ledger(one).rows.items()}
        for one in (broken, whole)
    )
    assert mine == theirs
    extra = Counter(broken_log.read_text().splitlines()) - Counter(
        whole_log.read_text().splitlines()
    )
    assert sum(extra.values()) <= kills


def test_two_kills_change_nothing(tmp_path: Path) -> None:
    unbroken_and_broken(tmp_path, "cma-es", 2, seed=1)


@pytest.mark.long
@pytest.mark.parametrize("engine", ["cma-es", "cat-cma", "tpe", "m2n2", "nsga2", "random"])
def test_ten_kills_change_nothing(tmp_path: Path, engine: str) -> None:
    unbroken_and_broken(tmp_path, engine, 10, seed=2)
