"""Fisher merging: each weight counts as much as its model depends on it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated

import torch
from torch import Tensor

from sdmerge.consensus import weighted_sum
from sdmerge.fit import Found, Models
from sdmerge.method import Fitting, Stat, Weight, Weights, method
from sdmerge.params import Lines, PerModel, Range, Share

Count = Annotated[int, Range(1, 64, limits=(1, 10000))]


def importance(models: Models, *, prompts: str, samples: int, steps: int) -> Iterator[Found]:
    """Per input the diagonal of its Fisher information."""
    for place in range(len(models.names)):
        models.report(place / len(models.names))
        found = models.probe.gradients(
            place, prompts.split("\n")[:-1], samples=samples, steps=steps
        )
        for key, squares in found:
            if key in models.shapes:
                yield key, {str(place): squares}


@method(
    title="Fisher merging", paper="https://arxiv.org/abs/2111.09832", unit="tensor",
    fit=Fitting(importance, probe="gradients"),
)  # fmt: skip
def fisher(
    weights: Weights, squares: Stat, *, weight: PerModel[Share] = 1.0, prompts: Lines = "",  # noqa: ARG001  `squares` are made of it
    samples: Count = 16, steps: Count = 8,  # noqa: ARG001  likewise
) -> Weight:  # fmt: skip
    """Average each weight by the model's Fisher information: Σ wᵢ·Fᵢ·θᵢ / Σ wᵢ·Fᵢ.

    Matena & Raffel, "Merging models with Fisher-weighted averaging", 2022, with the diagonal of the
    empirical Fisher information: the mean over samples of the squared gradient of the denoising
    loss, on latents that the model itself draws for the prompts. Weights on which no model depends
    are averaged plainly. On the samples it does not beat the plain average (benchmarks/probed.py):
    it favours the model with the larger gradients.

    weight: How much each model counts.
    prompts: A file of prompts, one per line, or a list of them.
    samples: How many pictures per model the gradients are taken on.
    steps: Denoising steps in which they are drawn.
    """
    plain = weighted_sum(weights, weight, normalize=True)
    shares = [squares[str(place)] for place in range(len(weights)) if str(place) in squares]
    if len(shares) < len(weights):
        return plain
    information = weight * torch.stack(shares).to(weights.dtype)
    whole = information.sum(dim=0)
    # relative to the largest, so that tiny gradients are not rounded away
    scale = information.amax().clamp(min=torch.finfo(weights.dtype).tiny)
    pulled = _mean(weights - plain, information / scale, whole / scale)
    return plain + pulled


def _mean(values: Tensor, shares: Tensor, whole: Tensor) -> Tensor:
    tiny = 1e-12
    return torch.where(whole > tiny, (shares * values).sum(dim=0) / whole.clamp(min=tiny), 0.0)
