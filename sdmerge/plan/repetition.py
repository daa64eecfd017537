"""Repetition: layers that a network runs through several times, one copy after the other."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from itertools import accumulate

from sdmerge.errors import PlanError
from sdmerge.families.depths import tied_depths
from sdmerge.plan.anatomy import Anatomy
from sdmerge.plan.filters import compile_filter
from sdmerge.plan.inputs import Member
from sdmerge.plan.layers import layers_of, rearranged

_SHOWN = 3


def with_repeated_layers(
    member: Member, times: Mapping[str, int], model: Anatomy, where: str
) -> Member:
    """`member` with each layer of which a filter takes a tensor as often as `times` says.

    Copies stand behind their layer: of two layers run twice, 0 and 2 are the layers, 1 and 3 the
    copies. The notes say how deep it is now. A filter that takes no layer, and depths that no
    config can state, are a PlanError.
    """
    layers = layers_of(member)
    counts = {stack: dict.fromkeys(sorted(of), 1) for stack, of in layers.items()}
    for word, count in times.items():
        chosen = compile_filter(word, model, where)
        found = {member.family.layer(key) for key in member.specs if chosen.test(key)} - {None}
        if not found:
            hint = f"Its layers are: {', '.join(layers)}." if layers else "It has none."
            raise PlanError(f"the filter '{word}' takes no layer", where=where, hint=hint)
        for stack, place in filter(None, found):
            counts[stack][place] = count
    for one, other in tied_depths(layers):
        if len({sum(counts[stack].values()) for stack in (one, other)}) > 1:
            hint = "diffusers' config has one number for both."
            raise PlanError(f"{one} and {other} differ in depth", where=where, hint=hint)
    places = {
        stack: {
            place: range(end - count, end)
            for (place, count), end in zip(of.items(), accumulate(of.values()), strict=True)
        }
        for stack, of in counts.items()
    }
    specs, nodes = rearranged(member, places)
    notes = _said({stack: (len(of), sum(of.values())) for stack, of in counts.items()})
    return replace(member, specs=specs, nodes=nodes, notes=(notes,), deepened=True)


def _said(depths: Mapping[str, tuple[int, int]]) -> str:
    said = [
        f"{stack} from {before} to {after}"
        for stack, (before, after) in depths.items()
        if before != after
    ]
    more = f" and {len(said) - _SHOWN} more" if len(said) > _SHOWN else ""
    return f"layers are run through again: {', '.join(said[:_SHOWN])}{more}"
