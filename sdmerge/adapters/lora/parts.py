"""Parts: what a LoRA file holds of one weight, by kohya's suffixes, rearranged without rounding.

"lora_down.weight", "lora_up.weight" and "alpha" are a plain LoRA; with "dora_scale" it is a DoRA;
other kinds have theirs ("hada_w1_a", "lokr_w1", "diff", "w_norm", …).
"""

from __future__ import annotations

import functools
from collections.abc import Mapping, Sequence

import torch
from torch import Tensor

from sdmerge.adapters.lora.names import PLAIN, split_key
from sdmerge.families.keymap import Piece
from sdmerge.lowrank import Factors

Parts = Mapping[str, Tensor]
DOWN, UP, ALPHA, MAGNITUDE = "lora_down.weight", "lora_up.weight", "alpha", "dora_scale"
DORA = "DoRA"
_RENDERED = {DOWN, UP, ALPHA, MAGNITUDE}


def parts_of(factors: Factors, shape: Sequence[int]) -> Parts:
    """The parts of scale · up @ down for a weight of this shape: (o, i) or (o, i, k, k).

    `factors` are [o, r] and [r, i·k·k]. A kernel's down has the kernel, its up is 1×1. The scale
    goes into alpha, which is one float32 number.
    """
    rank, ones = factors.rank, (1,) * (len(shape) - 2)
    return {
        DOWN: factors.down.reshape(rank, *shape[1:]),
        UP: factors.up.reshape(shape[0], rank, *ones),
        ALPHA: torch.tensor(factors.scale * rank, dtype=torch.float32),
    }


def factors_of(parts: Parts) -> Factors:
    """A LoRA's ΔW as float32 matrices, of a kernel as [o, i·k·k]; a magnitude is left aside."""
    rank = rank_of(parts)
    up, down = parts[UP].float().reshape(-1, rank), parts[DOWN].float().reshape(rank, -1)
    return Factors(up, down, scale_of(parts))


def kind_of(parts: Parts) -> str:
    """The adapter's kind in words: LoRA, DoRA, LoHa, full difference, …"""
    slots = [slot for part in parts if (slot := split_key(f"module.{part}"))]
    kinds = dict.fromkeys(slot.kind for slot in slots if slot.role == "other")
    return " + ".join(kinds) or PLAIN


def is_low_rank(parts: Parts) -> bool:
    """Whether it is a LoRA or a DoRA and nothing else: what every dialect has words for."""
    return DOWN in parts and UP in parts and parts.keys() <= _RENDERED


def rank_of(parts: Parts) -> int:
    """The rank of a LoRA or DoRA."""
    return parts[DOWN].shape[0]


def weight_shape(parts: Parts) -> tuple[int, ...]:
    """The shape of the weight that a LoRA or DoRA changes."""
    return (parts[UP].shape[0], *parts[DOWN].shape[1:])


def scale_of(parts: Parts) -> float:
    """What up @ down is multiplied by: alpha / rank; 1 without an alpha, or with one of 0."""
    alpha = float(parts[ALPHA]) if ALPHA in parts else 0.0
    return alpha / rank_of(parts) if alpha else 1.0


def is_row_magnitude(parts: Parts) -> bool:
    """Whether a DoRA's magnitudes are one per output row; some older files have columns."""
    magnitude = parts[MAGNITUDE]
    return magnitude.numel() == parts[UP].shape[0] == magnitude.shape[0]


def shaped(parts: Parts, shape: Sequence[int]) -> Parts:
    """The factors with as many dimensions as the weight: a 1×1 kernel's may be matrices."""
    if not is_low_rank(parts):
        return parts
    rank, ones = rank_of(parts), (1,) * (len(shape) - 2)
    return {
        **parts,
        DOWN: parts[DOWN].reshape(rank, *shape[1:]),
        UP: parts[UP].reshape(shape[0], rank, *ones),
    }


def split(
    parts: Parts, pieces: Sequence[Piece], shapes: Mapping[str, Sequence[int]]
) -> dict[str, Parts]:
    """What a module says of each of the weights that its own weight is made of.

    The rows of `up` are dealt out, all share `down`.
    """
    width, made = _width(parts[DOWN]), dict[str, Parts]()
    for key in dict.fromkeys(piece.target for piece in pieces):
        own = dict(parts)
        for name in {UP, MAGNITUDE} & parts.keys():
            whole = parts[name]
            own[name] = whole.new_zeros(shapes[key][0], *whole.shape[1:])
            for piece in pieces:
                if piece.target == key:
                    _copy_rows(whole, own[name], piece, width)
        made[key] = own
    return made


def join(learned: Mapping[str, Parts], pieces: Sequence[Piece], shape: Sequence[int]) -> Parts:
    """The parts of a weight that is put together from others: the inverse of `split`.

    Where all share one `down` they do so again; else the downs are stacked, the ups stand in blocks
    and the rank is the sum. A weight of which nothing was learned stays as it is.
    """
    width = _width(next(iter(learned.values()))[DOWN])
    if _shared(learned):
        first = next(iter(learned.values()))
        made = {DOWN: first[DOWN], UP: _placed(learned, UP, pieces, shape[0], width)}
        kept = {ALPHA: first[ALPHA]} if ALPHA in first else {}
    else:
        scales = {scale_of(parts) for parts in learned.values()}
        folded = learned if len(scales) == 1 else {k: _folded(one) for k, one in learned.items()}
        blocks = _blocks(folded)
        rank = sum(map(rank_of, learned.values()))
        made = {
            DOWN: torch.cat([one[DOWN] for one in folded.values()]),
            UP: _placed(blocks, UP, pieces, shape[0], width),
        }
        kept = {ALPHA: torch.tensor((scales.pop() if len(scales) == 1 else 1.0) * rank)}
    if all(MAGNITUDE in parts for parts in learned.values()):
        kept[MAGNITUDE] = _placed(learned, MAGNITUDE, pieces, shape[0], width)
    return {**made, **kept}


def _shared(learned: Mapping[str, Parts]) -> bool:
    first, *others = learned.values()
    return all(
        scale_of(one) == scale_of(first) and torch.equal(one[DOWN], first[DOWN]) for one in others
    )


def _folded(parts: Parts) -> Parts:
    """The parts at scale 1: `up` takes it, in float32 where its own dtype would round."""
    whole = parts[UP].float() * scale_of(parts)
    stored = whole.to(parts[UP].dtype)
    return {DOWN: parts[DOWN], UP: stored if torch.equal(stored.float(), whole) else whole}


def _blocks(learned: Mapping[str, Parts]) -> dict[str, Parts]:
    """Each `up` widened to the sum of ranks, with zeros where the others have their columns."""
    ranks = [rank_of(parts) for parts in learned.values()]
    made: dict[str, Parts] = {}
    for place, (key, parts) in enumerate(learned.items()):
        up = parts[UP]
        before = up.new_zeros(up.shape[0], sum(ranks[:place]), *up.shape[2:])
        after = up.new_zeros(up.shape[0], sum(ranks[place + 1 :]), *up.shape[2:])
        made[key] = {**parts, UP: torch.cat([before, up, after], dim=1)}
    return made


def _placed(
    learned: Mapping[str, Parts], part: str, pieces: Sequence[Piece], rows: int, width: int
) -> Tensor:
    """One part of all, each row at its place; rows of which nothing was learned are zero."""
    parts = [one[part] for one in learned.values()]
    widest = functools.reduce(torch.promote_types, (one.dtype for one in parts))
    made = parts[0].new_zeros(rows, *parts[0].shape[1:], dtype=widest)
    for piece in pieces:
        if piece.source in learned:
            _copy_rows(learned[piece.source][part], made, piece, width)
    return made


def _copy_rows(values: Tensor, to: Tensor, piece: Piece, width: int) -> None:
    count = piece.count // width
    source, target = piece.source_start // width, piece.target_start // width
    to[target : target + count] = values[source : source + count]


def _width(down: Tensor) -> int:
    """Elements of a row of the weight."""
    return down.numel() // down.shape[0]
