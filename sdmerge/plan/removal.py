"""Removal: layers that hardly add anything are left out, and those above move up."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from sdmerge.families.depths import tied_depths
from sdmerge.methods import METHODS
from sdmerge.plan.inputs import Member
from sdmerge.plan.tasks import Combine, Moved, Node
from sdmerge.tensors.spec import TensorSpec

_SHOWN = 3

Layers = Mapping[str, Mapping[int, list[str]]]
"""Stack → place → the keys of that layer."""


def without_idle_layers(member: Member, below: float) -> Member:
    """`member` without layers all of whose branches have a gain below `below`.

    A stack keeps its first layer even if all are idle, so that one can see that there is a stack.
    The notes say which layers are gone.
    """
    layers = _layers(member)
    idle = {
        stack: [place for place, keys in sorted(of.items()) if _is_idle(member, keys, below)]
        for stack, of in layers.items()
    }
    for stack, places in idle.items():
        if len(places) == len(layers[stack]):
            del places[0]
    for one, other in tied_depths(layers):
        count = min(len(idle[one]), len(idle[other]))
        del idle[one][count:], idle[other][count:]
    return _without(member, layers, idle)


def _layers(member: Member) -> Layers:
    layers: dict[str, dict[int, list[str]]] = {}
    for key in member.specs:
        if (found := member.family.layer(key)) is not None:
            layers.setdefault(found[0], {}).setdefault(found[1], []).append(key)
    return layers


def _is_idle(member: Member, keys: list[str], below: float) -> bool:
    """Whether whatever a layer adds comes out of projections that a gain makes this small."""
    outputs = [key for key in keys if member.family.branch(key) not in ("", "transformer")]
    return bool(outputs) and all(_gain(member.nodes[key]) < below for key in outputs)


def _gain(node: Node) -> float:
    """What a node multiplies a single input by; 1 for all else."""
    if not isinstance(node, Combine) or node.space != "weight" or len(node.inputs) != 1:
        return 1.0
    shares = METHODS[node.method].shares(node.values, 1)
    return abs(shares[0]) if shares else 1.0


def _without(member: Member, layers: Layers, idle: Mapping[str, list[int]]) -> Member:
    specs: dict[str, TensorSpec] = {}
    nodes: dict[str, Node] = {}
    for key, spec in member.specs.items():
        stack, place = member.family.layer(key) or ("", 0)
        gone = idle.get(stack, [])
        if place in gone:
            continue
        up = sum(below < place for below in gone)
        head, rest = f"{member.family.main.name}.{stack}", key
        if up:
            rest = key.removeprefix(f"{head}{place}")
            rest = f"{head}{place - up}{rest}"
        specs[rest] = spec
        nodes[rest] = Moved(key, member.nodes[key]) if up else member.nodes[key]
    names = [f"{stack}{place}" for stack, places in idle.items() for place in places]
    total = sum(map(len, layers.values()))
    return replace(member, specs=specs, nodes=nodes, notes=tuple(_said(names, total)))


def _said(names: list[str], total: int) -> list[str]:
    if not names:
        return ["no layer is left out: in none all gains are that small"]
    more = ", …" if len(names) > _SHOWN else ""
    return [f"{len(names)} of {total} layers are left out: {', '.join(names[:_SHOWN])}{more}"]
