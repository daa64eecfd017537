"""RegMean: the linear layers that come closest to every model's own outputs."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Annotated, cast

import torch
from torch import Tensor

from sdmerge.consensus import weighted_sum
from sdmerge.fit import Found, Models
from sdmerge.method import Fitting, Stat, Weight, Weights, method
from sdmerge.params import Fraction, Lines, PerModel, Range, Share

Count = Annotated[int, Range(1, 64, limits=(1, 10000))]
Width = Annotated[int, Range(64, 8192, limits=(1, 65536))]


def inner_products(
    models: Models, *, prompts: str, samples: int, steps: int, widest: int
) -> Iterator[Found]:
    """Per input and layer the inner products of its input's channels over all samples."""
    narrow = [key for key, shape in models.shapes.items() if 0 < math.prod(shape[1:]) <= widest]
    for place in range(len(models.names)):
        models.report(place / len(models.names))
        found = models.probe.activations(
            place, prompts.splitlines(), dict.fromkeys(narrow, _gram), samples=samples, steps=steps
        )
        for key, gram in found:
            yield key, {str(place): gram}


def _gram(rows: Tensor) -> Tensor:
    return rows.T @ rows


@method(
    title="RegMean", paper="https://arxiv.org/abs/2212.09849", unit="tensor",
    fit=Fitting(inner_products, probe="activations"),
)  # fmt: skip
def regmean(
    weights: Weights, grams: Stat, *, weight: PerModel[Share] = 1.0, alpha: Fraction = 0.9,
    prompts: Lines = "", samples: Count = 8, steps: Count = 4,  # noqa: ARG001  `grams` are made of it
    widest: Width = 2048,  # noqa: ARG001  likewise
) -> Weight:  # fmt: skip
    """Solve for the weights with the least change of every layer's output: (Σ Wᵢ·Gᵢ)(Σ Gᵢ)⁻¹.

    Jin et al., "Dataless knowledge fusion by merging weights of language models", 2023: Gᵢ = XᵢᵀXᵢ
    of the inputs that layer sees in model i while it draws the prompts, with the off-diagonal
    entries scaled by alpha. Linear and convolution layers; the rest is averaged. Directions that no
    input has keep the average.

    weight: How much each model counts: Gᵢ is multiplied by it.
    alpha: Factor on the off-diagonal entries of Gᵢ; 0 weighs each input channel by its power.
    prompts: A file of prompts, one per line, or a list of them.
    samples: How many pictures per model the layers are watched on.
    steps: Denoising steps in which they are drawn.
    widest: Layers with more inputs than this are averaged: G grows with their square.
    """
    plain = weighted_sum(weights, weight, normalize=True)
    found = [grams[str(place)] for place in range(len(weights)) if str(place) in grams]
    if len(found) < len(weights) or plain.dim() < 2:
        return plain
    shares = torch.as_tensor(weight, dtype=torch.float64).reshape(-1, 1, 1)
    scaled = shares * torch.stack([_scaled(gram.double(), alpha) for gram in found])
    whole = scaled.sum(dim=0)
    power = whole.diagonal().mean()
    if power <= 0:
        return plain
    pulls = (weights - plain).double().reshape(len(weights), plain.shape[0], -1) @ scaled
    # from the average on, so that what no input excites stays there
    ridge = 1e-6 * power * torch.eye(len(whole), dtype=torch.float64)
    moved = cast("Tensor", torch.linalg.solve(whole + ridge, pulls.sum(dim=0).T).T)  # pyright: ignore[reportUnknownMemberType]
    return plain + moved.reshape(plain.shape).to(plain.dtype)


def _scaled(gram: Tensor, alpha: float) -> Tensor:
    return alpha * gram + (1 - alpha) * torch.diag(gram.diagonal())
