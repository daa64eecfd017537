"""Layers: the equal ones that stand in a row in a network, and their keys under other numbers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from sdmerge.plan.inputs import Member
from sdmerge.plan.tasks import Moved, Node
from sdmerge.tensors.spec import TensorSpec

Layers = Mapping[str, Mapping[int, list[str]]]
"""Stack → place → the keys of that layer."""
Places = Mapping[str, Mapping[int, Sequence[int]]]
"""Stack → place → the places that the layer has afterwards: none, one or several."""


def layers_of(member: Member) -> Layers:
    """The layers of a member's main component."""
    layers: dict[str, dict[int, list[str]]] = {}
    for key in member.specs:
        if (found := member.family.layer(key)) is not None:
            layers.setdefault(found[0], {}).setdefault(found[1], []).append(key)
    return layers


def rearranged(
    member: Member, places: Places
) -> tuple[Mapping[str, TensorSpec], Mapping[str, Node]]:
    """The member's tensors with its layers at `places`; what is in no layer stays."""
    specs: dict[str, TensorSpec] = {}
    nodes: dict[str, Node] = {}
    for key, spec in member.specs.items():
        stack, place = member.family.layer(key) or ("", 0)
        head = f"{member.family.main.name}.{stack}"
        for now in places.get(stack, {}).get(place, (place,)):
            moved = now != place
            name = f"{head}{now}{key.removeprefix(f'{head}{place}')}" if moved else key
            specs[name] = spec
            nodes[name] = Moved(key, member.nodes[key]) if moved else member.nodes[key]
    return specs, nodes
