"""A search in a process of its own, to be killed: FOLDER, ENGINE, TRIALS."""

from __future__ import annotations

import sys
from pathlib import Path

from evolve.analytic import Formula, options, search
from sdmerge.evolve.run import Budget, Options
from sdmerge.evolve.workers import Local


def of_engine(engine: str) -> Options:
    """A search with halving, unless the engine wants every prompt."""
    return options(engine, halving=0 if engine == "m2n2" else 3)


if __name__ == "__main__":
    folder, engine, trials = Path(sys.argv[1]), sys.argv[2], int(sys.argv[3])
    search(
        folder, of_engine(engine), Budget(trials=trials), Local(Formula(folder.with_suffix(".log")))
    )
