"""Sanity: whether a scorer tells good pictures from bad ones, before a search may use it.

It has to rank real > parent > blurred > grey > noise: the reference, what a parent draws, that
blurred, that without its colours' differences (one grey for all), and random levels. Each step is
a paired difference over the same prompts, and holds if its whole interval is above zero.
"""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import torch
from PIL import ImageFilter
from PIL.Image import Image
from torch import Generator, Tensor

from sdmerge.errors import ScorerError
from sdmerge.scoring.batch import as_levels, to_image
from sdmerge.scoring.panel import Panel, Shown, open_picture
from sdmerge.scoring.scorer import Judge
from sdmerge.scoring.statistics import Difference, Estimate, difference, estimate

LADDER = ("real", "parent", "blurred", "grey", "noise")
_GREY = 128
_BLUR = 16
"""The blur's radius is the side of the picture divided by this."""


@dataclass(frozen=True, slots=True)
class Step:
    """One comparison: by how much `better` scores above `worse`."""

    better: str
    worse: str
    gap: Difference

    @property
    def holds(self) -> bool:
        """Whether the whole interval is on the right side."""
        return self.gap.low > 0


@dataclass(frozen=True, slots=True)
class Sanity:
    """What a scorer makes of the ladder; gaps are positive where it ranks as it should."""

    name: str
    means: Mapping[str, Estimate]
    steps: tuple[Step, ...]

    @property
    def passed(self) -> bool:
        """Whether every step holds."""
        return all(step.holds for step in self.steps)


def sanity(panel: Panel, parents: Sequence[Shown]) -> list[Sanity]:
    """The ladder of each judge, from what a parent draws for prompts that have references.

    Judges that do not rank single pictures (sets, directions) are left out.
    """
    if not parents:
        raise ScorerError("there are no pictures to check scorers with")
    if not all(one.line.reference for one in parents):
        hint = "Give --references DIR, or a 'reference' in every line of the prompts."
        raise ScorerError("real pictures are what --sanity compares with", hint=hint)
    rungs = {name: [_made(name, one) for one in parents] for name in LADDER}
    return [_ladder(judge, panel, rungs) for judge in panel.judges if judge.spec.ranks]


def _ladder(judge: Judge, panel: Panel, rungs: Mapping[str, Sequence[Shown]]) -> Sanity:
    sign = 1.0 if judge.spec.higher_is_better else -1.0
    scores = {name: _scores(judge, panel, shown) for name, shown in rungs.items()}
    steps = tuple(
        Step(better, worse, difference(_times(scores[worse], sign), _times(scores[better], sign)))
        for better, worse in itertools.pairwise(LADDER)
    )
    return Sanity(judge.name, {name: estimate(found) for name, found in scores.items()}, steps)


def _scores(judge: Judge, panel: Panel, shown: Sequence[Shown]) -> dict[tuple[int, int], float]:
    # what the scorer itself says: a grey picture would get the worst score unasked
    keys = [(one.prompt, one.seed) for one in shown]
    return dict(zip(keys, panel.raw(judge, shown), strict=True))


def _times(scores: Mapping[tuple[int, int], float], sign: float) -> dict[tuple[int, int], float]:
    return {key: sign * score for key, score in scores.items()}


def _made(name: str, one: Shown) -> Shown:
    """The rung of the ladder that belongs to a parent's picture."""
    if name == "parent":
        return one
    if name == "real" and one.line.reference is not None:
        return replace(one, picture=open_picture(one.line.reference))
    return replace(one, picture=_spoiled(name, one))


def _spoiled(name: str, one: Shown) -> Tensor:
    levels, _ = as_levels(one.picture)
    if name == "grey":
        return torch.full_like(levels, _GREY)
    if name == "noise":
        dice = Generator().manual_seed(1 + one.prompt * 1_000_003 + one.seed)
        return torch.randint(0, 256, levels.shape, generator=dice, dtype=torch.uint8)
    return as_levels(blurred(levels))[0]


def blurred(levels: Tensor) -> Image:
    """The picture, uint8 [3, h, w], under a Gaussian blur that leaves its colours and no edges."""
    image = to_image(levels)
    return image.filter(ImageFilter.GaussianBlur(max(image.size) / _BLUR))
