"""Cells: axes in their places, multiplied out."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from sdmerge.errors import InputError
from sdmerge.sample.grid import Value
from sdmerge.sample.settings import Sampling, read_sampling
from sdmerge.sample.sweep.axis import MOST, Part, Side
from sdmerge.scoring.prompts import Line


@dataclass(frozen=True, slots=True)
class Spot:
    """A cell that is to be drawn. `values` always has its prompt and its seed, so that a grid
    which grows by an axis of prompts or seeds keeps the cells that it has.
    """

    values: Mapping[str, Value]
    model: str
    settings: tuple[str, ...]
    line: Line
    seed: int
    sampling: Sampling


def arranged(placed: Sequence[Side | None], implied: Sequence[Side]) -> tuple[Side, ...]:
    """The axes in order: `placed` where they were asked for, `implied` ones in the gaps.

    Implied are several models, prompts and seeds that no placed axis varies; one of a kind is an
    axis only if there is no other.
    """
    taken = [side.axis.path for side in placed if side]
    _refuse_twice([side for side in placed if side])
    left = [side for side in implied if side.axis.path not in taken]
    several = [side for side in left if len(side.parts) > 1]
    if not taken and not several:
        several = left[:1]
    waiting = iter(several)
    filled = [side or next(waiting, None) for side in placed]
    sides = [side for side in filled if side] + list(waiting)
    return _named(sides)


def spots(sides: Sequence[Side], start: Part) -> list[Spot]:
    """Every cell; neighbours differ in what costs least: seeds and prompts before recipes."""
    count = math.prod(len(side.parts) for side in sides)
    if count > MOST:
        times = " × ".join(str(len(side.parts)) for side in sides)
        what = f"this grid would have {count:,} cells ({times}); {MOST:,} is the most"
        raise InputError(what, hint="Take fewer values, or draw several grids.")
    return list(_spots(sorted(sides, key=_cost, reverse=True), start))


def _spots(sides: Sequence[Side], start: Part) -> Iterator[Spot]:
    pairs = [[*zip(side.axis.values, side.parts, strict=True)] for side in sides]
    for chosen in itertools.product(*pairs):
        part = start
        for _, one in chosen:
            part |= one
        if part.line is None:
            hint = "Give -p PROMPT, -p @FILE, or an axis such as --y prompt=@FILE."
            raise InputError("there is no prompt", hint=hint)
        seed, sampling = part.seed or 0, read_sampling(part.sampling)
        values: dict[str, Value] = {"prompt": part.line.prompt, "seed": seed}
        values |= {side.axis.name: value for side, (value, _) in zip(sides, chosen, strict=True)}
        yield Spot(values, part.model, part.settings, part.line, seed, sampling)


def _cost(side: Side) -> int:
    part = side.parts[0]
    order = (part.seed is not None, part.line is not None, bool(part.sampling), True)
    return order.index(True)


def _refuse_twice(sides: Sequence[Side]) -> None:
    """Nothing unless two axes vary one thing."""
    seen: set[str] = set()
    for side in sides:
        part = side.parts[0]
        address = side.axis.path.removeprefix("parameters.")
        words = set(part.sampling) or {address}
        if words & seen:
            what = f"another axis varies {' and '.join(sorted(words & seen))} already"
            raise InputError(what, where=side.where)
        seen |= words


def _named(sides: Sequence[Side]) -> tuple[Side, ...]:
    """The axes with a name of its own each: the whole path where short ones are the same."""
    names = [side.axis.name for side in sides]
    return tuple(
        replace(side, axis=replace(side.axis, name=side.axis.path))
        if names.count(side.axis.name) > 1
        else side
        for side in sides
    )
