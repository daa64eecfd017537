"""Numbers of a search, declared once for recipes, flags and forms. Imports no torch."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated

from sdmerge.params import Param, Range, read_params


@dataclass(frozen=True, slots=True)
class Numbers:
    """How long a search goes on and how it judges; None is no limit."""

    trials: int | None = None
    hours: float | None = None
    patience: int | None = None
    seed: int = 0
    images_per_prompt: int = 1
    batch: int = 8
    validate_every: int = 5
    halving: int = 0
    prompts_per_generation: int = 0
    redraw_every: int = 1
    trust_region: float = 1.0


def _numbers(
    *,
    trials: Annotated[int, Range(50, 2000, step=10, limits=(1, 1_000_000))] = 200,
    hours: Annotated[float, Range(0.5, 48.0, step=0.5, limits=(0.001, 8760.0))] = 8.0,
    patience: Annotated[int, Range(5, 100, step=1, limits=(1, 100_000))] = 20,
    seed: Annotated[int, Range(0, 9999, step=1, limits=(0, 2**63 - 1))] = 0,
    images_per_prompt: Annotated[int, Range(1, 8, step=1, limits=(1, 256))] = 1,
    batch: Annotated[int, Range(1, 64, step=1, limits=(1, 4096))] = 8,
    validate_every: Annotated[int, Range(1, 20, step=1, limits=(1, 100_000))] = 5,
    halving: Annotated[int, Range(0, 4, step=1, limits=(0, 10))] = 0,
    prompts_per_generation: Annotated[int, Range(0, 256, step=1, limits=(0, 1_000_000))] = 0,
    redraw_every: Annotated[int, Range(0, 20, step=1, limits=(0, 100_000))] = 1,
    trust_region: Annotated[float, Range(0.05, 1.0, step=0.05, limits=(0.001, 1.0))] = 1.0,
) -> None:
    """The parameters of Numbers, with what a form starts from where there is no limit.

    trials: Candidates that are judged.
    hours: Hours after which the search ends.
    patience: Generations without progress after which the search ends.
    seed: Seed of the search: of its prompts, its noise and its engine.
    images_per_prompt: Pictures per prompt, each of noise of its own.
    batch: Pictures drawn at once; part of a study, for another number rounds otherwise.
    validate_every: Generations between two looks at the validation prompts.
    halving: 3 draws a third of the prompts for everybody, and the rest for the better half; 0 off.
    prompts_per_generation: Search prompts that a generation is asked, drawn anew each time; 0: all.
    redraw_every: Generations that share their prompts and noise; 0: all do, as M2N2 always has it.
    trust_region: How far from the start genes may go, as a share of their ranges.
    """
    del trials, hours, patience, seed, images_per_prompt, batch, validate_every, halving
    del prompts_per_generation, redraw_every, trust_region


NUMBERS: Mapping[str, Param] = {param.name: param for param in read_params(_numbers)}
"""Every number by its name."""
LIMITS = ("trials", "hours", "patience")
"""What ends a search; where none is given, it is the number of trials that a form starts from."""
