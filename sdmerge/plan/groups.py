"""Groups: the block, layer, component or type of layer that a tensor lies in, by a label each."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence

from sdmerge.plan.anatomy import Anatomy
from sdmerge.plan.filters import CLASSES

TYPES = ("attn", "mlp", "conv", "norm")
"""Classes that a tensor is at most one of, if the first that fits is taken."""
REST = "rest"
EXTRA = "extra"
"""What no component takes."""
_STACKED = re.compile(r"(.*\b(?:\w*s|h)\.\d+)\.")
_NUMBER = re.compile(r"(\d+)")


def group_of(per: str, model: Anatomy) -> Callable[[str], str]:
    """The label of a tensor's group.

    A layer is the innermost module of a numbered stack (unet.down_blocks.0.attentions.1.
    transformer_blocks.0), outside of them the component's own module (unet.conv_in). With no `per`
    all tensors are one group, ''.
    """
    match per:
        case "":
            return lambda key: ""
        case "block":
            return lambda key: model.block_of[key] or EXTRA
        case "component":
            return lambda key: model.component_of(key) or EXTRA
        case "type":
            return lambda key: next((name for name in TYPES if CLASSES[name](key)), REST)
        case "layer":
            return _layer
        case _:
            raise ValueError(f"tensors are not grouped per {per}")


def groups(per: str, model: Anatomy) -> tuple[str, ...]:
    """The labels of all groups that the model has tensors in, from first to last."""
    group = group_of(per, model)
    found = {group(key) for key in model.keys}
    order: Sequence[str] = {
        "block": ("BASE", *model.blocks),
        "component": model.components,
        "type": TYPES,
    }.get(per, ())
    known = [label for label in order if label in found]
    return (*known, *sorted(found.difference(known), key=_natural))


def _layer(key: str) -> str:
    if stacked := _STACKED.match(key):
        return stacked[1]
    return ".".join(key.split(".")[:2]) if key.count(".") > 1 else key.rpartition(".")[0] or key


def _natural(label: str) -> list[tuple[int, str]]:
    """layers.9 before layers.10."""
    return [(int(part), "") if part.isdigit() else (-1, part) for part in _NUMBER.split(label)]
