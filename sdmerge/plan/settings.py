"""Settings resolved: the value a parameter takes for each tensor, and how many each rule took."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field

from sdmerge.errors import PlanError, nearest
from sdmerge.params import Scalar
from sdmerge.plan.anatomy import Anatomy
from sdmerge.plan.block_rows import lbw_row, left_out, mbw_row, need_blocks
from sdmerge.plan.filters import CLASSES, Filter, compile_filter
from sdmerge.plan.groups import group_of, groups
from sdmerge.recipe import Gradient, Grouped, Lbw, Mbw, Preset, Rule, Search, Setting
from sdmerge.recipe.presets import PRESETS

_TO_MERGE = "To merge it, write components: {{{}: {{merge_method: …}}}}."


@dataclass(frozen=True, slots=True)
class Taken:
    """One rule and the number of tensors it took."""

    name: str
    filter: str
    count: int


@dataclass(frozen=True, slots=True)
class Resolved:
    """A parameter's value per key. Keys that no rule took are absent.

    A value per model is left as it is: whose it is about is not known here. `marks` are the keys
    that rules with a search mark took.
    """

    values: Mapping[str, Scalar | Grouped]
    taken: tuple[Taken, ...]
    notes: tuple[str, ...] = ()
    marks: Mapping[str, Rule] = field(default_factory=dict[str, Rule])


def resolve(name: str, setting: Setting, model: Anatomy) -> Resolved:
    """`setting` for every key of `model`; a filter that takes none is a PlanError."""
    values: dict[str, Scalar | Grouped] = {}
    marks: dict[str, Rule] = {}
    taken: list[Taken] = []
    notes: list[str] = []
    for rule in setting:
        chosen = (
            compile_filter(rule.filter, model, rule.where)
            if rule.filter
            else Filter(lambda key: True)
        )
        curve = _curve(rule, chosen, model)
        matching = [key for key in model.keys if chosen.test(key)]
        merged = [key for key in matching if model.component_of(key) not in model.whole]
        left = [key for key in merged if key not in values]
        if matching and not merged:
            _refuse_whole(rule, model.component_of(matching[0]))
        _refuse_idle(rule, merged, left, model)
        found = {key: value for key in left if (value := curve(key)) is not None}
        values.update(found)
        taken.append(Taken(name, rule.filter or "*", len(found)))
        if isinstance(rule.value, Search):
            marks.update(dict.fromkeys(found, rule))
        if isinstance(rule.value, Lbw):
            notes += _left_out(name, rule.value, found, model)
    return Resolved(values, tuple(taken), tuple(notes), marks)


def _left_out(name: str, value: Lbw, found: Iterable[str], model: Anatomy) -> list[str]:
    """A note of the blocks that get 0 because a row of LoRA block weights does not have them."""
    taken = {model.block_of[key] for key in found}
    if not (blocks := [block for block in left_out(value, model) if block in taken]):
        return []
    return [f"{name}: the LoRA block weights leave out {', '.join(blocks)}, which get 0"]


def _refuse_whole(rule: Rule, component: str) -> None:
    if rule.filter is None:
        return
    what = f"the filter '{rule.filter}' takes tensors of {component} alone, which is taken whole"
    raise PlanError(what, where=rule.where, hint=_TO_MERGE.format(component))


def _refuse_value(component: str, where: str) -> None:
    what = f"there is a value for {component}, which is taken whole"
    raise PlanError(what, where=where, hint=_TO_MERGE.format(component))


def _refuse_idle(rule: Rule, matching: list[str], left: list[str], model: Anatomy) -> None:
    if rule.filter is None or left:
        return
    if matching:
        count = len(matching)
        what = f"the filter '{rule.filter}' is shadowed: rules above take all its {count} tensors"
        raise PlanError(what, where=rule.where, hint="Move it above them, or remove it.")
    near = nearest(rule.filter, [*model.components, *model.blocks, *CLASSES])
    words = ", ".join([*model.components, *model.blocks[:1], "…", *model.blocks[-1:]])
    hint = (
        f"{near} It may be a component or block ({words}), a class ({', '.join(CLASSES)}), "
        f"or a part of a key such as '{model.keys[0]}'."
    )
    what = f"the filter '{rule.filter}' takes no tensor"
    raise PlanError(what, where=rule.where, hint=hint.strip())


Curve = Callable[[str], Scalar | Grouped | None]


def _curve(rule: Rule, chosen: Filter, model: Anatomy) -> Curve:
    match rule.value:
        case Gradient(points):
            return _gradient(points, _place(rule, chosen, model, len(points)))
        case Mbw(numbers):
            return mbw_row(numbers, model, rule.where)
        case Lbw():
            return lbw_row(rule.value, model, rule.where)
        case Preset(name):
            need_blocks(model, rule.where)
            shape = PRESETS[name]
            return lambda key: shape.base if (x := model.depth(key)) is None else shape.curve(x)
        case Grouped():
            return _grouped(rule.value, model, rule.where)
        case Search(init=value, per="block"):
            need_blocks(model, rule.where)
        case Search(init=value):
            pass
        case _:
            value = rule.value
    return lambda key: value


def _place(rule: Rule, chosen: Filter, model: Anatomy, count: int) -> Callable[[str], float]:
    """Where each key lies, 0 to 1, on the stretch that a gradient runs over."""
    if chosen.span is not None:
        low, high = chosen.span
        width = max(1, high - low)
        return lambda key: (model.blocks.index(model.block_of[key]) - low) / width
    own = model.own_depths(chosen.component) if chosen.component is not None else None
    if own == {}:
        what = f"{chosen.component} has no depth that a gradient could follow"
        raise PlanError(what, where=rule.where, hint="Write one number.")
    if own is None:
        need_blocks(model, rule.where)
    blockwise = own is None or any(model.depth(key) is not None for key in own)
    if blockwise and model.labelled and count in (len(model.blocks), len(model.blocks) + 1):
        what = f"a list of {count} numbers could be a gradient or one number per block"
        hint = "Write {mbw: …} for one per block; a gradient needs a point more or less."
        raise PlanError(what, where=rule.where, hint=hint)
    if own is not None:
        return lambda key: own[key]
    return model.place


def _grouped(value: Grouped, model: Anatomy, where: str) -> Curve:
    if value.per == "model":
        return lambda key: value
    known = groups(value.per, model)
    for label in value.values:
        if label not in known:
            hint = f"{nearest(label, known)} There are: {_some(known)}.".strip()
            raise PlanError(f"there is no {value.per} '{label}' here", where=where, hint=hint)
    for label in value.values if value.per == "component" else ():
        if label in model.whole:
            _refuse_value(label, where)
    group = group_of(value.per, model)
    return lambda key: value.values.get(group(key))


def _some(labels: tuple[str, ...]) -> str:
    shown = labels if len(labels) <= 6 else (*labels[:4], "…", labels[-1])
    return ", ".join(shown)


def _gradient(points: tuple[float, ...], place: Callable[[str], float]) -> Curve:
    def value(key: str) -> float:
        position = place(key) * (len(points) - 1)
        left = min(int(position), len(points) - 2)
        share = position - left
        return points[left] * (1 - share) + points[left + 1] * share

    return value
