"""The changes of another model that stand out."""

from __future__ import annotations

from typing import Annotated, cast

import numpy as np
import torch

from sdmerge.method import Here, Stat, Weight, method
from sdmerge.params import Range
from sdmerge.place import Part, Place
from sdmerge.whole import Whole

_FUSION = (
    "https://www.arcee.ai/blog/"
    "meet-mergekit-v0-1-arcee-fusion-expanded-model-support-multi-gpu-acceleration"
)
_LARGEST = 300.0  # no weight is so large, and the exponential of twice as much is still a number


def divergences(whole: Whole, part: Part) -> np.ndarray:
    """Per row KL(softmax B ‖ softmax A), float32: Σ p·(b-a) - log(Σ e^b / Σ e^a).

    For nearly equal rows the quotient's distance from 1 is summed: the sums themselves hide it.
    """

    def terms(leaf: np.ndarray) -> list[np.ndarray]:
        a, b = leaf.clip(-_LARGEST, _LARGEST)
        return [np.exp(a), np.exp(b), np.exp(a) * np.expm1(b - a), np.exp(b) * (b - a)]

    of_a, of_b, growth, shift = whole.sum_by(part, terms)
    growth /= of_a
    near = np.log1p(growth.clip(-0.5, 0.5))
    far = np.log(of_b) - np.log(of_a)
    quotient = cast("np.ndarray", np.where(np.abs(growth) < 0.5, near, far))
    return (shift / of_b - quotient).clip(min=0.0).astype(np.float32)


def _rows(shape: tuple[int, ...]) -> Part:
    return "row" if len(shape) > 1 else "column"  # a bias is one row


def outstanding(whole: Whole, fence: float) -> tuple[np.ndarray, float]:
    """The divergence of each row, and the importance above which a change stands out."""
    if whole.numel == 0:
        return np.zeros(0, np.float32), 0.0
    part = _rows(whole.shape)
    by_row = divergences(whole, part)

    def importance(leaf: np.ndarray, place: Place) -> np.ndarray:
        a, b = leaf.astype(np.float32)
        return (np.abs(b - a) * by_row[place.of(part).numpy()])[None]

    above = [whole.numel - int(share * (whole.numel - 1)) for share in (0.25, 0.5, 0.75)]
    first, middle, third = whole.kth_largest(importance, [above]).tolist()[0]
    return by_row, middle + fence * (third - first)


@method(title="Arcee Fusion", paper=_FUSION, stats=outstanding)
def arcee_fusion(
    a: Weight, b: Weight, found: Stat, here: Here, *,
    fence: Annotated[float, Range(0.0, 3.0, limits=(0.0, 100.0))] = 1.5,  # noqa: ARG001  in `found`
) -> Weight:  # fmt: skip
    """Take B's numbers where the change from A is important, and keep A's elsewhere.

    Importance is |B-A| times the divergence KL(softmax B ‖ softmax A) of the row; a change counts
    from the median plus 1.5 interquartile ranges up. A is base_model if the recipe has one. The
    quantiles are exact, where mergekit draws a million numbers at random; a convolution's row is
    all of an output's kernel, where mergekit's is 3 numbers.

    fence: Interquartile ranges above the median from which a change is important; 0 takes half.
    """
    by_row, least = found
    divergence = torch.from_numpy(by_row)[here.of(_rows(here.shape))]  # pyright: ignore[reportUnknownMemberType]
    # in float32 whatever the inputs are, as the quantiles were taken
    importance = (b - a).float().abs() * divergence
    return torch.where(importance >= least, b, a)
