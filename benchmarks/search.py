"""What a search costs beside its evaluations: asking, telling, and writing it all down.

`python -m benchmarks.search` searches 10, 30 and 100 genes with every engine on a formula that
costs nothing, and prints milliseconds per candidate: of the engine alone, and of all together with
the study's folder on the disk. `--quick` tries 100 genes with three engines.
"""

from __future__ import annotations

import argparse
import json
import math
import tempfile
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

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


def whole_search(name: str, genes: int, candidates: int) -> tuple[float, float]:
    """Milliseconds per candidate of a search whose evaluations are free: by the clock, and of the
    processor alone.
    """
    options = Options(name, 0, PROMPTS, (Objective("fit", (("fit", 1.0),)),))
    space = Numbers(genes)
    with tempfile.TemporaryDirectory() as place, claimed(Path(place)):
        folder = Path(place)
        journal = Journal(folder, space.genes, ["fit"])
        search = Search(
            Ledger(folder), space, ENGINES[name], options, Budget(trials=candidates),
            executor=Local(Free()), journal=journal,
        )  # fmt: skip
        start, worked = time.perf_counter(), time.process_time()
        search.run()
        spent = time.perf_counter() - start, time.process_time() - worked
    return 1e3 * spent[0] / candidates, 1e3 * spent[1] / candidates


def say(line: str) -> None:
    """Print a line at once."""
    print(line, flush=True)  # noqa: T201


def main() -> None:
    """Measure as the options say."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--quick", action="store_true", help="100 genes, three engines")
    parser.add_argument("--record", type=Path, help="write the figures there as JSON")
    options = parser.parse_args()
    single = [name for name, one in ENGINES.items() if one.objectives[0] == 1 and name != "gp"]
    names = (
        FAST
        if options.quick
        else [name for name in single if not ENGINES[name].needs or name in FAST]
    )
    sizes = (100,) if options.quick else (10, 30, 100)
    count = 120 if options.quick else 360
    rows: list[dict[str, Any]] = []
    for name in names:
        for genes in sizes:
            alone = engine_alone(name, genes, count)
            together, worked = whole_search(name, genes, count)
            rows.append(
                {
                    "engine": name,
                    "genes": genes,
                    "engine_ms": alone,
                    "search_ms": together,
                    "search_cpu_ms": worked,
                }
            )
            say(
                f"{name:14} {genes:4} genes  engine {alone:7.2f} ms  search {together:7.2f} ms "
                f"({worked:.2f} ms of the processor)"
            )
    slow = [r for r in rows if r["engine"] in FAST and r["genes"] == 100 and r["search_ms"] > GOAL]
    say(f"goal: under {GOAL:g} ms per candidate at 100 genes: {'missed' if slow else 'met'}")
    if options.record:
        options.record.write_text(json.dumps({"candidates": count, "rows": rows}, indent=1))


if __name__ == "__main__":
    main()
