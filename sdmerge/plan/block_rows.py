"""Rows of block weights: one number per block, as checkpoint and as LoRA tools write them."""

from __future__ import annotations

from collections.abc import Callable

from sdmerge.errors import PlanError
from sdmerge.plan.anatomy import Anatomy
from sdmerge.recipe import Lbw
from sdmerge.recipe.lbw import lbw_labels, lbw_numbers

_SD1_ROW = ("BASE", *(f"IN{i:02}" for i in range(12)), "M00", *(f"OUT{i:02}" for i in range(12)))

Number = Callable[[str], float | None]
"""The number of a key; None leaves the key to the next rule."""


def need_blocks(model: Anatomy, where: str) -> None:
    """Nothing if the model has blocks, else a PlanError."""
    if not model.blocks:
        what = "this model has no numbered layers that a curve could follow"
        raise PlanError(what, where=where, hint="Write one number, or filters with numbers.")


def mbw_row(numbers: tuple[float, ...], model: Anatomy, where: str) -> Number:
    """One number per block. BASE, where the row has it, also serves what lies in no block."""
    by_block = dict(zip(_mbw_labels(len(numbers), model, where), numbers, strict=True))
    rest = by_block.get("BASE")
    return lambda key: by_block.get(model.block_of[key], rest)


def _mbw_labels(count: int, model: Anatomy, where: str) -> tuple[str, ...]:
    need_blocks(model, where)
    for labels in (("BASE", *model.blocks), model.blocks):
        if count == len(labels):
            return labels
    # SDXL rows are often written with SD1's 26 numbers; the blocks it lacks are passed over
    if count == len(_SD1_ROW) and set(model.blocks) <= set(_SD1_ROW):
        return _SD1_ROW
    first, last = model.blocks[0], model.blocks[-1]
    wanted = f"{len(model.blocks) + 1} (BASE, {first} … {last}) or {len(model.blocks)}"
    raise PlanError(f"mbw has {count} numbers; this family takes {wanted}", where=where)


def lbw_row(value: Lbw, model: Anatomy, where: str) -> Number:
    """LoRA block weights: BASE serves all that lies in no block of the main network."""
    by_block = _lbw_by_block(value, model, where)
    by_block |= dict.fromkeys(left_out(value, model), 0.0)
    rest = by_block["BASE"]
    return lambda key: by_block.get(model.block_of[key], rest)


def left_out(value: Lbw, model: Anatomy) -> tuple[str, ...]:
    """The blocks that a row of LoRA block weights has no number for."""
    short, _ = lbw_labels(model.blocks)
    known = short if isinstance(value.row, str) or len(value.row) == len(short) else model.blocks
    return tuple(block for block in model.blocks if block not in known)


def _lbw_by_block(value: Lbw, model: Anatomy, where: str) -> dict[str, float]:
    need_blocks(model, where)
    rows = lbw_labels(model.blocks)
    if not rows:
        hint = "Write {mbw: …}, with a number for each of its blocks."
        raise PlanError(
            "LoRA block weights are for UNets of SD 1, 2 and XL", where=where, hint=hint
        )
    numbers = lbw_numbers(value.row, model.blocks) if isinstance(value.row, str) else value.row
    for labels in rows:
        if len(labels) == len(numbers):
            scaled = [value.strength * number for number in numbers]
            return dict(zip(labels, scaled, strict=True))
    wanted = " or ".join(f"{len(labels)} ({_abridged(labels)})" for labels in rows)
    raise PlanError(f"lbw has {len(numbers)} numbers; this family takes {wanted}", where=where)


def _abridged(labels: tuple[str, ...]) -> str:
    return ", ".join([*labels[:3], f"… {labels[-1]}"])
