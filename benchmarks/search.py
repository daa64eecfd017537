"""What a search costs beside its evaluations: asking, telling, and writing it all down.

`python -m benchmarks.search --folder DIR` searches 10, 30 and 100 genes with every engine on a
formula that costs nothing: milliseconds per candidate, of the engine alone, and of all together
with the study's folder on the disk. `--record` writes search.json and the README's table; `--quick`
tries 100 genes with three engines.
"""

from __future__ import annotations

import json
import math
import sys
import tempfile
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.report import benchmark, keep, put, table
from sdmerge.evolve.engines import ENGINES
from sdmerge.evolve.exam import Evaluation
from sdmerge.evolve.genes import Candidate, Gene, Told
from sdmerge.evolve.ledger import Journal, Ledger, claimed
from sdmerge.evolve.run import Budget, Objective, Options, Search
from sdmerge.evolve.workers import Local
from sdmerge.params import Scalar
from sdmerge.recipe import Recipe, recipe_from_data
from sdmerge.scoring.prompts import Line

GOAL = 5.0
"""Milliseconds per candidate at 100 genes, for engines that are to be fast."""
FAST = ("cma-es", "random", "m2n2")
PROMPTS = tuple(Line(f"a picture of {n}", "") for n in range(16))
RECIPE = recipe_from_data({"merge_method": "linear", "models": [{"model": "a"}]})


@dataclass(frozen=True)
class Numbers:
    """A space of `count` numbers, all of which make the same recipe."""

    count: int

    @property
    def genes(self) -> tuple[Gene, ...]:
        """The numbers."""
        return tuple(Gene(f"weight/{n:03d}", "float", 0.5) for n in range(self.count))

    @property
    def init(self) -> Candidate:
        """The middle."""
        return {gene.name: 0.5 for gene in self.genes}

    def fill(self, candidate: Candidate) -> Recipe:  # noqa: ARG002 - the protocol's
        """A recipe that says nothing of the candidate: filling is measured elsewhere."""
        return RECIPE

    def sampling(self, candidate: Candidate) -> Mapping[str, Scalar]:  # noqa: ARG002
        """Nothing."""
        return {}


class Free:
    """Scores that cost nothing and follow the number of the call."""

    def __init__(self) -> None:
        self.calls = 0

    def open(self) -> Free:
        """Itself."""
        return self

    def __call__(self, *_: object, **__: object) -> Evaluation:
        self.calls += 1
        return Evaluation({"fit": tuple((math.sin(self.calls + n),) for n in range(16))})

    def close(self) -> None:
        """Nothing is held."""


def engine_alone(name: str, genes: int, candidates: int) -> float:
    """Milliseconds per candidate of asking and telling."""
    space = Numbers(genes)
    engine = ENGINES[name].open(space.genes, space.init, 0, candidates)
    spent, done = 0.0, 0
    while done < candidates:
        start = time.perf_counter()
        asked = engine.ask()
        spent += time.perf_counter() - start
        told = [
            Told(one, (math.sin(done + k),), tuple(math.sin(done + k + n) for n in range(16)))
            for k, one in enumerate(asked)
        ]
        start = time.perf_counter()
        engine.tell(told)
        spent += time.perf_counter() - start
        done += len(asked)
    return 1e3 * spent / done


def whole_search(name: str, genes: int, candidates: int, folder: Path) -> tuple[float, float]:
    """Milliseconds per candidate of a search whose evaluations are free: by the clock, and of the
    processor alone. Its study lies in `folder` meanwhile.
    """
    options = Options(name, 0, PROMPTS, (Objective("fit", (("fit", 1.0),)),))
    space = Numbers(genes)
    with tempfile.TemporaryDirectory(dir=folder) as place, claimed(Path(place)):
        study = Path(place)
        journal = Journal(study, space.genes, ["fit"])
        search = Search(
            Ledger(study), space, ENGINES[name], options, Budget(trials=candidates),
            executor=Local(Free()), journal=journal,
        )  # fmt: skip
        start, worked = time.perf_counter(), time.process_time()
        search.run()
        spent = time.perf_counter() - start, time.process_time() - worked
    return 1e3 * spent[0] / candidates, 1e3 * spent[1] / candidates


def main() -> None:
    """Print the figures as JSON, and write them where they are shown if asked to."""
    benchmark(__doc__, measure, record)


def measure(options: Any) -> dict[str, Any]:
    """Milliseconds per candidate, and whether the engines that are to be fast are."""
    single = [name for name, one in ENGINES.items() if one.objectives[0] == 1 and name != "gp"]
    wide = [name for name in single if not ENGINES[name].needs or name in FAST]
    names, sizes = (FAST, (100,)) if options.quick else (wide, (10, 30, 100))
    count = 120 if options.quick else 360
    rows: list[dict[str, Any]] = []
    for name in names:
        for genes in sizes:
            alone = engine_alone(name, genes, count)
            together, worked = whole_search(name, genes, count, options.folder)
            row = {"engine": name, "genes": genes, "engine ms": alone, "search ms": together,
                   "search CPU ms": worked}  # fmt: skip
            print(json.dumps(row), file=sys.stderr, flush=True)  # noqa: T201
            rows.append(row)
    slow = [r for r in rows if r["engine"] in FAST and r["genes"] == 100 and r["search ms"] > GOAL]
    return {"candidates": count, "goal met": not slow, "rows": rows}


def record(figures: Mapping[str, Any]) -> None:
    """Write search.json and the table."""
    keep("search", figures)
    columns = ["engine ms", "search ms", "search CPU ms"]
    rows = [
        [row["engine"], row["genes"], *(f"{row[column]:.2f}" for column in columns)]
        for row in figures["rows"]
    ]
    text = table(["engine", "genes", *columns], rows)
    put("search", f"{text}\n\n{figures['cores']} cores. {figures['note']}".strip())


if __name__ == "__main__":
    main()
