"""Running a search of the miniature as a study in a folder; one that was stopped goes on."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from benchmarks.evolution.rows import SAMPLES, SAMPLING, Data, Searched
from sdmerge.adapters.opened import OpenedModels
from sdmerge.evolve.engines import ENGINES
from sdmerge.evolve.evaluate import EvaluatorSpec, LiveEvaluator
from sdmerge.evolve.ledger import STUDY, Journal, Ledger, claimed, create
from sdmerge.evolve.run import Search, best
from sdmerge.evolve.run.study import Study, study_of
from sdmerge.evolve.workers import Local
from sdmerge.plan import Plan, plan
from sdmerge.recipe import Recipe, recipe_from_data
from sdmerge.scorers import SCORERS
from sdmerge.scoring.choice import Choice

BATCH = 16
CLIP_A, CLIP_B = (str(SAMPLES / "scorers" / name) for name in ("clip_a", "clip_b"))
FITNESS, REPORT = "clip (clip_a)", "clip (clip_b)"
"""Columns as studies with two CLIPs call them."""
FEW = 8


@dataclass(frozen=True, slots=True)
class Effort:
    """How much is asked of the miniature.

    prompts: Search prompts per generation. each: Pictures per test prompt. lines: How many prompts
    the files have; None: all of them. seeds: Of the optimiser, at most.
    """

    trials: int
    prompts: int
    each: int
    lines: int | None = None
    seeds: int = 3


FULL, QUICK = Effort(120, 24, 4), Effort(4, 4, 1, lines=4, seeds=1)


@dataclass(frozen=True, slots=True)
class Found:
    """The winner of a search, and what the search itself said of it."""

    recipe: Recipe
    fitness: float
    evaluations: int
    alarms: tuple[str, ...]


class Studio:
    """Evaluates for every search, with models and scorers loaded once."""

    def __init__(self, folder: Path) -> None:
        self.cache = folder / "sha256.json"
        self.opened = OpenedModels()
        scorers = (
            Choice("clip", (("model", CLIP_A),), FITNESS),
            Choice("clip", (("model", CLIP_B),), REPORT),
            Choice("clip_image", (("model", CLIP_A),), "clip_image"),
            Choice("oracle", (("model", str(SAMPLES / "scorers" / "oracle")),), "oracle"),
        )
        self.evaluator: LiveEvaluator = EvaluatorSpec(scorers, cache=self.cache, batch=BATCH).open()

    def plan(self, recipe: Recipe) -> Plan:
        """The plan of a recipe."""
        return plan(recipe, cache=self.cache, opened=self.opened)

    def open(self) -> LiveEvaluator:
        """The evaluator, as workers open theirs."""
        return self.evaluator


def search(studio: Studio, row: Searched, seed: int, folder: Path, effort: Effort) -> Found:
    """The winner of one search, its study in `folder`."""
    study = _study(studio, row, seed, folder.parent, effort)
    there = (folder / STUDY).is_file()
    executor = Local(studio)
    with claimed(folder):
        create(folder, study.description(device="cpu"), resume=there)
        ledger = Ledger(folder)
        journal = Journal(folder, study.space.genes, [one.name for one in study.options.objectives])
        Search(
            ledger, study.space, study.engine, study.options, study.budget, executor=executor,
            baselines=study.baselines, journal=journal,
        ).run()  # fmt: skip
    found = best(ledger, study.options.objectives)
    assert found is not None, "a search with a budget has a winner"
    scores = [one.score for one in ledger.generations.values() if one.score is not None]
    alarms = tuple(note for one in ledger.generations.values() for note in one.notes)
    return Found(study.space.fill(found[0]), max(scores), len(ledger.rows), alarms)


def _study(studio: Studio, row: Searched, seed: int, folder: Path, effort: Effort) -> Study:
    changes = dict(row.changes or {})
    few = FEW if changes.pop("prompts", None) == "few" else effort.lines
    evolve: Data = {
        "prompts": {
            "search": str(_first(few, "search", folder)),
            "validation": str(_first(effort.lines, "validation", folder)),
        },
        "fitness": [_scorer(name) for name in row.fitness],
        "report": [{"scorer": "clip", "model": CLIP_B}],
        "sampler": {**SAMPLING},
        "engine": {**row.engine},
        "trials": effort.trials,
        "prompts_per_generation": effort.prompts,
        "batch": BATCH,
        "seed": seed,
        **changes,
    }
    if row.engine["name"] == "m2n2":  # it compares candidates prompt by prompt
        del evolve["prompts_per_generation"]
    *before, last = row.recipe if isinstance(row.recipe, list) else [row.recipe]
    recipe = recipe_from_data([*before, {**last, "evolve": evolve}], row.name)
    return study_of(recipe, ENGINES, SCORERS, studio.plan)


def _scorer(name: str) -> Data:
    return {"scorer": name, "model": CLIP_A}


def _first(count: int | None, name: str, folder: Path) -> Path:
    """The file of prompts, or its first ones alone, with their pictures where they were."""
    prompts = SAMPLES / "prompts" / f"{name}.jsonl"
    if count is None:
        return prompts
    text = "".join(f"{line}\n" for line in prompts.read_text("utf-8").splitlines()[:count])
    references = (SAMPLES / "references").as_posix()
    path = folder / f"{name}-{count}.jsonl"
    path.write_text(text.replace("../references", references), "utf-8")
    return path


def read(data: Data, name: str) -> Recipe:
    """A recipe that no file holds."""
    return recipe_from_data(data, name)
