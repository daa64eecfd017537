"""What a recipe says of its result: dtype and layout, and how much of a change a LoRA keeps."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TypeVar, get_args

from sdmerge.errors import nearest
from sdmerge.params import Param, Range, Scalar
from sdmerge.recipe.marks import read_scalar
from sdmerge.recipe.model import Layout, Output, Rounding
from sdmerge.recipe.nodes import Node

Word = TypeVar("Word", bound=str)
LAYOUTS: tuple[Layout, ...] = get_args(Layout)
_ROUNDINGS: tuple[Rounding, ...] = get_args(Rounding)
_DIALECTS = ("kohya", "diffusers", "peft", "comfyui")
_RANK = Range(1, 128, limits=(1, 4096))
_SHARE = Range(0.0, 1.0)
_REMOVE = Param(
    "remove_below", "float", 0.0, "Layers whose branches have smaller gains are left out.", _SHARE
)
_FACTOR = Range(-1, 64, limits=(-1, 4096))

_KINDS = ("lora", "locon", "dora", "lokr")

LORA: tuple[Param, ...] = (
    Param(
        "kind", "choice", "lora",
        "As what a change is stored; locon is lora by its name for convolutions.",
        choices=_KINDS,
    ),
    Param("factor", "int", -1, "Size of a LoKr's first factor; -1 is as even as can be.", _FACTOR),
    Param("rank", "int", 32, "Largest rank of a module.", _RANK),
    Param("conv_rank", "int", 32, "Largest rank of a convolution, if it is another.", _RANK),
    Param("energy", "float", 0.95, "Share of the squared norm that each module keeps.", _SHARE),
    Param("error", "float", 0.01, "Largest relative error of a module.", _SHARE),
    Param("ratio", "float", 0.1, "Singular values of this share of the largest stay.", _SHARE),
    Param("quantile", "float", 0.75, "Share of the sum of singular values that stays.", _SHARE),
    Param("size", "text", "50MB", "Largest size of the file: the rank is what fits."),
    Param("dialect", "choice", "diffusers", "Whose names it bears; of a LoKr kohya's.",
          choices=_DIALECTS),
    Param("partial", "bool", False, "Leave out what the dialect has no words for, and list it."),
)  # fmt: skip
"""What `output` takes beside `layout: lora`. A rank is the smallest that keeps to all shares, but
no larger than `rank` and `size` allow. Without any of them it is the sum of the inputs' ranks; the
second factor of a LoKr, whose rank it is there, is whole."""

BOUNDS = ("rank", "conv_rank", "energy", "error", "ratio", "quantile", "size")
"""Those of them that say how much is kept."""


def read_output(fields: Mapping[str, Node]) -> Output:
    """The output of the last stage."""
    dtype = fields.get("out_dtype") or fields.get("dtype")
    word = dtype.text("dtype") if dtype else None
    node = fields.get("output")
    if node is None:
        return Output(dtype=word)
    own = ("layout", "rounding", "remove_below", "prune")
    known = node.mapping("output", (*own, *(param.name for param in LORA)))
    layout = _word(known["layout"], "layout", LAYOUTS) if "layout" in known else None
    rounding = _word(known["rounding"], "rounding", _ROUNDINGS) if "rounding" in known else None
    lora: dict[str, Scalar] = {
        param.name: read_scalar(known[param.name], param) for param in LORA if param.name in known
    }
    if lora and layout != "lora":
        raise node.error(f"{', '.join(lora)} belong to 'layout: lora'")
    below = read_scalar(known[_REMOVE.name], _REMOVE) if _REMOVE.name in known else 0.0
    if below and layout == "lora":
        raise known[_REMOVE.name].error("a LoRA has no layers of its own to leave out")
    prune = "prune" in known and known["prune"].switch("prune")
    if prune and layout == "lora":
        raise known["prune"].error("a LoRA has only what was changed: there is nothing to prune")
    return Output(layout, word, lora, rounding or "nearest", float(below), prune)


def _word(node: Node, what: str, known: Sequence[Word]) -> Word:
    """One of the `known` words."""
    given = node.text(what)
    for word in known:
        if given == word:
            return word
    hint = f"{nearest(given, known)} One of: {', '.join(known)}."
    raise node.error(f"there is no {what} '{given}'", hint.strip())
