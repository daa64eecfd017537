"""A search whose scores are a formula: a space of weights, and an evaluator that reads recipes."""

from __future__ import annotations

import hashlib
import os
import time
from collections.abc import Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sdmerge.evolve.exam import Evaluation, Exam
from sdmerge.evolve.genes import Candidate, Gene
from sdmerge.evolve.ledger import Description, Journal, Ledger, claimed, create
from sdmerge.evolve.run import Budget, Ended, Objective, Options, Search
from sdmerge.evolve.workers import Executor, Local
from sdmerge.params import Scalar
from sdmerge.recipe import Recipe, recipe_from_data
from sdmerge.scoring.prompts import Line

if TYPE_CHECKING:
    import optuna

TARGET = (0.9, 0.2, 0.6, 0.4)
SEARCH = tuple(Line(f"picture {n}", f"picture {n}") for n in range(9))
VALIDATION = tuple(Line(f"other {n}", f"other {n}") for n in range(6))
FIT, JUDGE = Objective("fit", (("fit", 1.0),)), Objective("judge", (("judge", 1.0),))


def recipe_of(weights: Sequence[float]) -> Recipe:
    """A recipe that says these weights."""
    models = [{"model": f"m{n}", "parameters": {"weight": w}} for n, w in enumerate(weights)]
    return recipe_from_data({"merge_method": "linear", "models": models})


def weights_of(recipe: Recipe) -> list[float]:
    """The weights that a recipe says."""
    return [float(ref.parameters["weight"][0].value) for ref in recipe.stages[-1].models]  # type: ignore[arg-type]


@dataclass(frozen=True)
class Weights:
    """The space of `count` weights between -1 and 2."""

    count: int = 3

    @property
    def genes(self) -> tuple[Gene, ...]:
        names = [f"models[m{n}].parameters.weight" for n in range(self.count)]
        return tuple(Gene(name, "float", 0.0, low=-1.0, high=2.0) for name in names)

    @property
    def init(self) -> Candidate:
        return {gene.name: gene.init for gene in self.genes}

    def fill(self, candidate: Candidate) -> Recipe:
        return recipe_of([float(candidate[gene.name]) for gene in self.genes])

    def sampling(self, candidate: Candidate) -> Mapping[str, Scalar]:
        return {}


def noise(*words: object) -> float:
    """Between -1 and 1, the same for the same words."""
    digest = hashlib.blake2b(repr(words).encode(), digest_size=8).digest()
    return int.from_bytes(digest, "little") / 2**63 - 1


def fitness(weights: Sequence[float]) -> float:
    """What is searched for: how near the weights are to TARGET."""
    return -sum((w - t) ** 2 for w, t in zip(weights, TARGET, strict=False))


@dataclass(frozen=True)
class Formula:
    """Scores by `fitness`, with noise by prompt and seed; opens as itself.

    log: A file that gets a line per evaluation. mischief: What a first weight above 1.5 brings:
        raise, nan, die or hang; with `once`, a folder, only the first time.
    """

    log: Path | None = None
    mischief: str = ""
    once: Path | None = None
    wait: float = 0.0
    judge: float = 1.0
    """How the second scorer follows the first."""
    closed: Path | None = None
    """A file that is made when it is closed."""

    def open(self) -> Formula:
        return self

    def close(self) -> None:
        if self.closed is not None:
            self.closed.touch()

    def __call__(
        self, recipe: Recipe, exam: Exam, sampling: Mapping[str, Scalar], *,
        columns: Sequence[str] | None = None, keep: Any = None, cancel: Any = None,
    ) -> Evaluation:  # fmt: skip
        weights = weights_of(recipe)
        if self.log is not None:
            with self.log.open("a") as file:
                file.write(f"{weights} {exam.id}\n")
        if self.wait:
            time.sleep(self.wait)
        if weights[0] > 1.5 and self.mischief and self._first():
            self._misbehave()
        value = fitness(weights)
        nan = self.mischief == "nan" and weights[0] > 1.5
        found = {
            "fit": lambda prompt, seed: float("nan") if nan else value + 0.1 * noise(prompt, seed),
            "judge": lambda prompt, seed: self.judge * value + 0.1 * noise("j", prompt, seed),
        }
        wanted = list(found) if columns is None else columns
        return Evaluation(
            {
                name: tuple(
                    tuple(found[name](line.prompt, seed) for seed in own)
                    for line, own in zip(exam.lines, exam.seeds, strict=True)
                )
                for name in wanted
            },
            (),
            {"total": 0.0},
        )

    def _first(self) -> bool:
        if self.once is None:
            return True
        try:
            (self.once / "done").touch(exist_ok=False)
        except FileExistsError:
            return False
        return True

    def _misbehave(self) -> None:
        if self.mischief == "raise":
            raise RuntimeError("no such luck")
        if self.mischief == "die":
            os._exit(3)
        if self.mischief == "hang":
            time.sleep(600)


def options(engine: str = "cma-es", **changes: Any) -> Options:
    """A search for the formula's best, with a second scorer."""
    given: dict[str, Any] = {
        "seed": 7, "search": SEARCH, "objectives": (FIT,), "validation": VALIDATION,
        "report": (JUDGE,), "validate_every": 2,
    }  # fmt: skip
    return Options(engine, **{**given, **changes})


def search(
    folder: Path,
    chosen: Options,
    budget: Budget,
    executor: Executor | None = None,
    *,
    count: int = 3,
    url: str = "",
    **more: Any,
) -> Ended:
    """Run or resume a search in `folder`, as the command does."""
    from sdmerge.evolve.engines import ENGINES

    space = Weights(count)
    description = Description.of(space.fill(space.init), {"seed": chosen.seed})
    with claimed(folder):
        create(folder, description, resume=True)
        names = [one.name for one in chosen.objectives]
        with closing(Journal(folder, space.genes, names, url=url)) as journal:
            return Search(
                Ledger(folder), space, ENGINES[chosen.engine], chosen, budget,
                executor=executor or Local(Formula()), journal=journal, **more,
            ).run()  # fmt: skip


def told_of(folder: Path) -> list[tuple[Any, ...]]:
    """All that a study decided: every trial's parameters, values and state, in order."""
    import optuna
    from optuna.storages import JournalStorage
    from optuna.storages.journal import JournalFileBackend

    storage = JournalStorage(JournalFileBackend(str(folder / "journal.log")))
    return decided(optuna.load_study(study_name="sdmerge", storage=storage))


def decided(study: optuna.Study) -> list[tuple[Any, ...]]:
    """Every trial's parameters, values, state and attributes, in order."""
    return [(t.number, t.params, t.values, t.state, t.user_attrs) for t in study.trials]
