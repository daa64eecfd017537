"""Removal: layers that hardly add anything are left out, and those above move up."""

from __future__ import annotations

from dataclasses import replace

from sdmerge.families.depths import tied_depths
from sdmerge.methods import METHODS
from sdmerge.plan.inputs import Member
from sdmerge.plan.layers import layers_of, rearranged
from sdmerge.plan.tasks import Combine, Node

_SHOWN = 3


def without_idle_layers(member: Member, below: float) -> Member:
    """`member` without layers all of whose branches have a gain below `below`.

    A stack keeps its first layer even if all are idle, so that one can see that there is a stack.
    The notes say which layers are gone.
    """
    layers = layers_of(member)
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
    places = {
        stack: {
            place: () if place in gone else (place - sum(below < place for below in gone),)
            for place in layers[stack]
        }
        for stack, gone in idle.items()
    }
    specs, nodes = rearranged(member, places)
    names = [f"{stack}{place}" for stack, gone in idle.items() for place in gone]
    notes = _said(names, sum(map(len, layers.values())))
    return replace(member, specs=specs, nodes=nodes, notes=tuple(notes))


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


def _said(names: list[str], total: int) -> list[str]:
    if not names:
        return ["no layer is left out: in none all gains are that small"]
    more = ", …" if len(names) > _SHOWN else ""
    return [f"{len(names)} of {total} layers are left out: {', '.join(names[:_SHOWN])}{more}"]
