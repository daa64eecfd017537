"""K-LoRA: each layer is either the content's or the style's."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated

import numpy as np
import torch
from torch import Tensor

from sdmerge.fit import Found, Models
from sdmerge.method import Delta, Fitting, Stat, method
from sdmerge.params import PerModel, Range, Strength
from sdmerge.spectrum import as_matrix, one_thread, svd

Factor = Annotated[float, Range(0.5, 2.0, limits=(0.0, 1e6))]

_OUTLIER = 3.0  # ratios so many times the mean do not count


def balance(models: Models) -> Iterator[Found]:
    """γ, the mean over layers of ‖ΔW_a‖₁ / ‖ΔW_b‖₁, for every layer the same."""
    ratios: list[float] = []
    for number, key in enumerate(models.shapes):
        models.report(number / len(models.shapes))
        if len(models.shapes[key]) > 1:
            content, style = models.whole(key).sums(np.abs)
            if content > 0 and style > 0:
                ratios.append(content / style)
    usual = [ratio for ratio in ratios if ratio < _OUTLIER * np.mean(ratios)]
    gamma = torch.tensor([np.mean(usual) if usual else 1.0], dtype=torch.float64)
    for key in models.shapes:
        yield key, gamma


@method(
    title="K-LoRA (static)", paper="https://arxiv.org/abs/2502.18461", unit="tensor",
    fit=Fitting(balance),
)  # fmt: skip
def k_lora(
    a: Delta, b: Delta, gamma: Stat, *, weight: PerModel[Strength] = 1.0, style: Factor = 1.25
) -> Delta:
    """Take each layer from A (content) or from B (style): from the one whose entries stand out.

    Ouyang et al., "K-LoRA: Unlocking Training-Free Fusion of Any Subject and Style LoRAs", 2025.
    S is the sum of the K largest |ΔW| of a layer, K the product of both ranks; γ, the mean ratio of
    the L1 norms of all layers (less the outliers, three times the mean), puts them on one scale. A
    layer is A's if S_a / γ > style·S_b. The paper's factor for the style rises over the denoising
    steps, from 0.5 to 2; weights do not know the step, so this is one choice for all of them. What
    only one model changes is taken from it; vectors are added.

    weight: How much of the chosen difference is added.
    style: What B's sum is multiplied by; above 1 more layers are B's.
    """
    share_a, share_b = (float(one) for one in torch.as_tensor(weight).reshape(-1))
    if a.dim() < 2 or not a.any() or not b.any():
        return share_a * a + share_b * b
    content, other = _largest(as_matrix(a), as_matrix(b))
    return share_a * a if content / float(gamma) > style * other else share_b * b


@one_thread()
def _largest(a: Tensor, b: Tensor) -> tuple[float, float]:
    """The sums of the K largest magnitudes of either matrix."""
    count = min(a.numel(), len(svd(a).values) * len(svd(b).values))
    content, style = (
        float(matrix.abs().flatten().sort(descending=True).values[:count].sum())
        for matrix in (a, b)
    )
    return content, style
