"""A study made of a recipe: its space, its options, what it is compared with, and what fixes it."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from sdmerge.errors import EngineError, InputError
from sdmerge.evolve.engine.spec import EngineSpec
from sdmerge.evolve.ledger import Description, read_description
from sdmerge.evolve.numbers import LIMITS
from sdmerge.evolve.run.baselines import Baseline, added, usual
from sdmerge.evolve.run.by_hand import OBJECTIVE
from sdmerge.evolve.run.models import Models
from sdmerge.evolve.run.options import Budget, Objective, Options
from sdmerge.evolve.settings import Settings, read_settings
from sdmerge.evolve.space import Space, space_of
from sdmerge.evolve.statistics import check_disjoint
from sdmerge.recipe import Recipe, Search, load_recipe, parse_recipe, to_yaml
from sdmerge.scoring.choice import Choice, named
from sdmerge.scoring.prompts import Line, read_prompts
from sdmerge.scoring.spec import ScorerSpec

Specs = Mapping[str, Any]
"""Scorers by name: sdmerge.scorers.SCORERS."""
Added = Mapping[str, Recipe]
"""The user's own recipes, by name."""


@dataclass(frozen=True, slots=True)
class Study:
    """What a recipe's search is. `scorers` are all that are asked, under their columns' names."""

    recipe: Recipe
    settings: Settings
    engine: EngineSpec
    options: Options
    scorers: tuple[Choice, ...]
    space: Space
    baselines: tuple[Baseline, ...]
    added: Added
    models: Models

    @property
    def by_hand(self) -> bool:
        """Whether its engine asks people, not scorers."""
        return "votes" in self.engine.needs

    @property
    def budget(self) -> Budget:
        """How long it goes on."""
        numbers = self.settings.numbers
        return Budget(numbers.trials, numbers.hours, numbers.patience)

    def description(self, **more: object) -> Description:
        """What is fixed for its lifetime: all that scores depend on, with `more` such as a device.

        Budgets may change from run to run.
        """
        evolve = {key: one for key, one in self.recipe.evolve.items() if key not in LIMITS}
        options = self.options
        numbers = asdict(self.settings.numbers)
        fixed = {
            **{name: one for name, one in numbers.items() if name not in LIMITS},
            "engine": {"name": options.engine, **options.params},
            "objectives": [_described(one) for one in options.objectives],
            "report": [_described(one) for one in options.report],
            "prompts": {
                "search": _content(options.search),
                "validation": _content(options.validation),
            },
            "added": {name: to_yaml(recipe) for name, recipe in self.added.items()},
            **more,
        }
        files = {} if self.by_hand else self.models.hashes()
        return Description.of(replace(self.recipe, evolve=evolve), fixed, files)


def study_of(
    recipe: Recipe,
    engines: Mapping[str, EngineSpec],
    scorers: Specs,
    plan_of: Callable[[Recipe], Any],
    *,
    own: Added | None = None,
) -> Study:
    """The study of a recipe with search marks; whatever does not fit is an InputError.

    plan_of: Plans a recipe. own: Recipes to compare with, beside those that `evolve.start` names.
    """
    settings = read_settings(recipe)
    models = Models(plan_of)
    engine = engines[settings.engine.name]
    choices, objectives, report, floors = _columns(settings, engine, scorers)
    if "votes" in engine.needs:
        objectives = (OBJECTIVE,)
    space = space_of(recipe, models)
    starts = {path.stem: load_recipe(path) for path in settings.start}
    own = {**starts, **(own or {})}
    for one in own.values():
        models(one)
    if settings.numbers.trust_region < 1:
        first = next((space.candidate_of(one) for one in starts.values()), space.init)
        space = space.around(first, settings.numbers.trust_region)
    numbers, prompts = settings.numbers, settings.prompts
    parts = {"search": prompts.search, "validation": prompts.validation, "test": prompts.test}
    lines = {name: tuple(read_prompts(path)) for name, path in parts.items() if path}
    check_disjoint(lines)
    options = Options(
        engine=engine.name,
        seed=numbers.seed,
        search=lines["search"],
        validation=lines.get("validation", ()),
        objectives=objectives,
        report=report,
        diversity=_diversity(report, choices),
        images=numbers.images_per_prompt,
        params=settings.engine.values(engine.params),
        sampling={
            name: value
            for name, value in settings.sampling.items()
            if not isinstance(value, Search)
        },
        floors=floors,
        prompts_per_generation=numbers.prompts_per_generation,
        # an archive compares what it has with what is new
        redraw_every=0 if "prompts" in engine.needs else numbers.redraw_every,
        halving=numbers.halving,
        validate_every=numbers.validate_every,
    )
    _refuse(options, engine, choices)
    baselines = [*usual(space, models), *(added(space, name, one) for name, one in own.items())]
    return Study(recipe, settings, engine, options, choices, space, tuple(baselines), own, models)


def reopen(
    folder: Path,
    engines: Mapping[str, EngineSpec],
    scorers: Specs,
    plan_of: Callable[[Recipe], Any],
) -> Study:
    """The study in `folder`, from what study.yaml says."""
    description = read_description(folder)
    recipe = description.read_recipe()
    texts: Mapping[str, str] = description.fixed.get("added") or {}
    own = {name: parse_recipe(text, name, recipe.folder) for name, text in texts.items()}
    return study_of(recipe, engines, scorers, plan_of, own=own)


def objectives_of(description: Description) -> tuple[tuple[Objective, ...], tuple[Objective, ...]]:
    """What a study searches for, and what it only looks at, without opening anything else."""
    searched, looked = (
        tuple(Objective(one["name"], tuple(one["terms"].items())) for one in entries)
        for entries in (description.fixed["objectives"], description.fixed["report"])
    )
    return searched, looked


def _columns(
    settings: Settings, engine: EngineSpec, scorers: Specs
) -> tuple[tuple[Choice, ...], tuple[Objective, ...], tuple[Objective, ...], tuple[Objective, ...]]:
    """Every scorer once, with what is searched for, looked at and held up."""
    wanted = [one.choice for one in settings.fitness]
    every = [*wanted, *settings.report, *settings.never_below]
    unique = list(dict.fromkeys(every))
    choices = dict(zip(unique, named(unique), strict=True))
    signs = {one: 1.0 if _spec(scorers, one).higher_is_better else -1.0 for one in unique}

    def alone(one: Choice, weight: float = 1.0) -> Objective:
        return Objective(choices[one].name, ((choices[one].name, weight * signs[one]),))

    parts = [alone(one.choice, one.weight) for one in settings.fitness]
    many = engine.objectives[1] > 1
    if many:
        objectives = tuple(alone(one) for one in wanted)
    else:
        name = " + ".join(one.name for one in parts)
        objectives = (Objective(name, tuple(term for one in parts for term in one.terms)),)
    report = tuple(alone(one) for one in dict.fromkeys(settings.report))
    floors = tuple(alone(one) for one in dict.fromkeys(settings.never_below))
    return tuple(choices.values()), objectives, report, floors


def _spec(scorers: Specs, choice: Choice) -> ScorerSpec:
    return scorers[choice.scorer].spec


def _diversity(report: Sequence[Objective], choices: Sequence[Choice]) -> Objective | None:
    columns = {one.name for one in choices if one.scorer == "diversity"}
    return next((one for one in report if one.terms[0][0] in columns), None)


def _refuse(options: Options, engine: EngineSpec, choices: Sequence[Choice]) -> None:
    """Nothing unless the engine cannot do what is asked of it."""
    fewest, most = engine.objectives
    if not fewest <= len(options.objectives) <= most:
        what = f"{engine.name} takes {fewest} to {most} objectives, not {len(options.objectives)}"
        raise EngineError(
            what, hint="Each entry of 'fitness' is one; 'sdmerge engines' lists more."
        )
    if "prompts" in engine.needs and (options.prompts_per_generation or options.halving > 1):
        hint = "Leave prompts_per_generation and halving out."
        raise InputError(f"{engine.name} compares candidates prompt by prompt", hint=hint)
    if options.images < 2 and any(one.scorer == "diversity" for one in choices):
        hint = "Set images_per_prompt: 2 or more."
        raise InputError("diversity compares the pictures of one prompt", hint=hint)


def _described(one: Objective) -> dict[str, object]:
    return {"name": one.name, "terms": dict(one.terms)}


def _content(lines: Sequence[Line]) -> str:
    """How many prompts, and the hash of what they say, captions and references included."""
    digest = hashlib.blake2b(digest_size=16)
    for line in lines:
        reference = b"" if line.reference is None else line.reference.read_bytes()
        digest.update(repr((line.prompt, line.caption)).encode())
        digest.update(hashlib.blake2b(reference).digest())
    return f"{len(lines)} prompts, {digest.hexdigest()}"
