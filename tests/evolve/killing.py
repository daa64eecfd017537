"""A search in a process of its own, to be killed: FOLDER, ENGINE, TRIALS."""

from __future__ import annotations

import sys
from pathlib import Path

from analytic import Formula, options, search

from sdmerge.evolve.run import Budget
from sdmerge.evolve.workers import Local

if __name__ == "__main__":
    folder, engine, trials = Path(sys.argv[1]), sys.argv[2], int(sys.argv[3])
    chosen = options(engine, halving=3)
    search(folder, chosen, Budget(trials=trials), Local(Formula(folder.with_suffix(".log"))))
