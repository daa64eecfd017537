"""Axes: what can vary of a draft, and the job that draws it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sdmerge_ui import controls
from sdmerge_ui.edits import stage_of
from sdmerge_ui.grids import find_grid, known_grids
from sdmerge_ui.library import (
    SAMPLING,
    InputError,
    Job,
    Side,
    aliases,
    edited,
    extent_of,
    manifest,
    read_axis,
    seconds_per_cell,
)
from sdmerge_ui.place import Place
from sdmerge_ui.texts import Words

PLACES = ("x", "y", "z")
_BY_THEMSELVES = ("prompt", "model")
"""Axes whose values have a field of their own."""
_SAMPLER = ("steps", "guidance_scale", "sampler", "clip_skip")
_MOST_SEEDS = 64
_TIMED = 3
_MINUTE = 90


@dataclass(frozen=True, slots=True)
class Wanted:
    """A grid as the form asks for it.

    axes: By x, y and z, what varies and its values. into: The grid that it adds to; "": a new one.
    """

    axes: Mapping[str, tuple[str, str]]
    prompts: tuple[str, ...]
    models: tuple[str, ...] = ()
    seed: int = 0
    seeds: int = 1
    steps: int = 0
    into: str = ""

    @property
    def title(self) -> str:
        """What varies, for people."""
        named = [what.removeprefix("parameters.") for what, _ in self.axes.values()]
        return " × ".join(named) or "prompts"


def read_wanted(data: Mapping[str, Any]) -> Wanted:
    """What the form sent, checked; an InputError for what is none of its fields' values."""
    axes = {
        place: (str(one["what"]), str(one["values"]).strip())
        for place in PLACES
        if (one := data["axes"].get(place) or {}).get("what")
    }
    for place, (what, values) in axes.items():
        if what not in _BY_THEMSELVES and not values:
            raise InputError("has no values yet", where=f"{place} {what}")
        if values.startswith("@"):
            hint = "Write the values here, with commas between."
            raise InputError("files are not read for the page", where=what, hint=hint)
    prompts = tuple(line.strip() for line in str(data["prompts"]).splitlines() if line.strip())
    seeds = int(data["seeds"] or 1)
    if not 1 <= seeds <= _MOST_SEEDS:
        raise InputError(f"a grid takes 1 to {_MOST_SEEDS} seeds")
    return Wanted(axes, prompts, tuple(map(str, data["models"])), int(data["seed"] or 0), seeds,
                  int(data["steps"] or 0), str(data.get("into") or ""))  # fmt: skip


def fields(place: Place, words: Words, text: str) -> dict[str, Any]:
    """For the element `axes`: what of the draft can vary, and what models could stand beside it."""
    entries = [one.name for one in place.inventory.entries() if one.kind == "checkpoint"]
    return {
        "choices": [*_parameters(text), *_fixed(words)],
        "models": [*entries, *place.recipe_names()],
        "has_draft": _has_models(text),
    }


def extent(place: Place, words: Words, text: str, wanted: Wanted) -> str:
    """How many cells and merges it is, and about how long that takes."""
    sides = _sides(wanted)
    found = extent_of(
        [sides.get(one) for one in PLACES], models=_models(place, text, wanted),
        prompts=wanted.prompts, seeds=range(wanted.seed, wanted.seed + wanted.seeds),
    )  # fmt: skip
    each = seconds_per_cell(list(known_grids(place).values())[:_TIMED])
    if each is None:
        time = words("axes.unknown")
    else:
        seconds = each * found.cells
        time = (
            words("axes.seconds", count=f"{seconds:.0f}")
            if seconds < _MINUTE
            else words("axes.minutes", count=f"{seconds / 60:.0f}")
        )
    return words("axes.extent", cells=f"{found.cells:,}", merges=f"{found.merges:,}", time=time)


def submit(place: Place, words: Words, text: str, wanted: Wanted) -> Job:
    """The job that draws it; whatever is wrong with the recipe or a value is said before."""
    if not wanted.prompts:
        raise InputError("there is no prompt", hint="Write one, or several, a line each.")
    extent(place, words, text, wanted)
    if _has_models(text):
        place.plan(text)
        for side in _sides(wanted).values():
            _check(place, text, side)
    return place.jobs.submit(
        place.request(*_arguments(place, text, wanted)), title=wanted.title, recipe=text
    )


def _check(place: Place, text: str, side: Side) -> None:
    """Every value is put into the recipe; the plan is made for the first and the last."""
    if not side.changes_recipe:
        return
    texts = [edited(text, part.settings) for part in side.parts]
    for one in texts:
        place.parse(one)
    for one in {texts[0], texts[-1]}:
        place.plan(one)


def _arguments(place: Place, text: str, wanted: Wanted) -> Iterator[str]:
    yield "grid"
    if _has_models(text):
        yield "{run}/recipe.yaml"
    yield from _others(place, wanted)
    for one, (what, values) in wanted.axes.items():
        yield from (f"--{one}", what if what in _BY_THEMSELVES else f"{what}={values}")
    yield from ("-p", f"@{place.keep_lines(wanted.prompts)}")
    seeds = [what for what, _ in wanted.axes.values()].count("seed")
    if not seeds:
        yield from ("--seed", str(wanted.seed), "--seeds", str(wanted.seeds))
    if wanted.steps:
        yield from ("--steps", str(wanted.steps))
    target = str(find_grid(place, wanted.into)) if wanted.into else "{run}/grid"
    yield from ("-o", target, *place.flags)


def _sides(wanted: Wanted) -> dict[str, Side]:
    """The axes that have values of their own; prompts and models are added where they belong."""
    return {
        one: read_axis(f"{what}={values}", f"{one} {what}={values}")
        for one, (what, values) in wanted.axes.items()
        if what not in _BY_THEMSELVES
    }


def _models(place: Place, text: str, wanted: Wanted) -> list[str]:
    found = [*(["recipe.yaml"] if _has_models(text) else []), *_others(place, wanted)]
    if not found:
        raise InputError("there is nothing to draw", hint="Put models into the merge, or add some.")
    return found


def _others(place: Place, wanted: Wanted) -> Iterator[str]:
    """The paths of the models and recipes that stand beside the draft."""
    for name in wanted.models:
        entry = place.entry(name)
        if name in place.recipe_names():
            yield str(place.workspace.recipes / name)
        elif entry is not None:
            yield str(entry.path)
        else:
            raise InputError(f"there is no model '{name}'", hint="It may have been moved.")


def _has_models(text: str) -> bool:
    stage = stage_of(text)
    return bool(stage.get("models"))


def _parameters(text: str) -> Iterator[dict[str, Any]]:
    """The parameters of the draft's method, of all models and of each."""
    stage = stage_of(text)
    spec = manifest().get(str(stage.get("merge_method")))
    if spec is None:
        return
    yield from (_choice(one, one["name"], one["address"]) for one in controls.form(spec, stage, ()))
    models: Sequence[Any] = [one for one in stage.get("models") or [] if isinstance(one, dict)]
    names = aliases([(one.get("name"), str(one.get("model"))) for one in models])
    for number, name in enumerate(names):
        for one in controls.model_fields(spec, stage, number):
            address = f"models[{name}].parameters.{one['name']}"
            yield _choice(one, f"{one['name']} · {name}", address)


def _choice(field: controls.Field, label: str, address: str) -> dict[str, Any]:
    known = ("kind", "low", "high", "step", "choices", "help")
    return {"what": address, "label": label, "group": "recipe"} | {
        name: field[name] for name in known if name in field
    }


def _fixed(words: Words) -> Iterator[dict[str, Any]]:
    """What varies of any grid."""
    yield {"what": "prompt", "label": words("axes.prompt"), "group": "pictures", "kind": "own"}
    yield {"what": "model", "label": words("axes.model"), "group": "pictures", "kind": "own"}
    yield {"what": "seed", "label": words("axes.seed"), "group": "pictures", "kind": "int",
           "low": 0, "high": 3, "step": 1}  # fmt: skip
    for name in _SAMPLER:
        param = SAMPLING[name]
        found = controls.field(param, name, None)
        yield {**_choice(found, name, name), "group": "sampling"}
    yield {"what": "size", "label": "size", "group": "sampling", "kind": "text",
           "example": "256x256, 512x512"}  # fmt: skip
    methods = ", ".join(sorted(manifest())[:2])
    yield {"what": "merge_method", "label": words("axes.method"), "group": "recipe",
           "kind": "text", "example": methods}  # fmt: skip
