"""Zip gate: each input channel belongs to the models that use it, by how much they do."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Annotated

import torch
from torch import Tensor

from sdmerge.fit import Found, Models
from sdmerge.method import Delta, Deltas, Fitting, Stat, method, total
from sdmerge.params import Lines, PerModel, Range, Scale, Share

Count = Annotated[int, Range(1, 64, limits=(1, 10000))]


def moments(
    models: Models, *, prompts: tuple[str, ...], samples: int, steps: int
) -> Iterator[Found]:
    """Per input and layer the mean square of each of the layer's inputs, on the input's prompts."""
    keep = {key: _squares for key, shape in models.shapes.items() if math.prod(shape[1:]) > 0}
    for place, own in enumerate(prompts):
        models.report(place / len(prompts))
        found = models.probe.activations(
            place, own.splitlines(), keep, samples=samples, steps=steps
        )
        for key, sums in found:
            yield key, {str(place): sums[:-1] / sums[-1]}


def _squares(rows: Tensor) -> Tensor:
    """Σ x² of each column, and the number of rows."""
    return torch.cat([rows.square().sum(dim=0), rows.new_tensor([len(rows)])])


@method(
    title="Zip gate", paper="https://arxiv.org/abs/2311.13600", unit="tensor",
    fit=Fitting(moments, probe="activations"), rotation="left",
)  # fmt: skip
def zip_gate(
    deltas: Deltas, squares: Stat, *, weight: PerModel[Share] = 1.0, lambda_: Scale = 1.0,
    prompts: PerModel[Lines] = "", samples: Count = 8, steps: Count = 8,  # noqa: ARG001  `squares` are made of them
) -> Delta:  # fmt: skip
    """Gate each column of each difference by who uses that input: ΔW = Σ ΔWₖ·diag(uₖ / Σ u).

    ZipLoRA's column mergers (Shah et al., 2023) without training: uₖ is the mean square of a
    layer's input while model k draws its own prompts, and the mergers are those of least
    Σₖ Σⱼ uₖⱼ·‖Σₗ mₗⱼ·ΔWₗⱼ - ΔWₖⱼ‖² over the columns j, in which inputs are taken as uncorrelated.
    Where models use an input alike this is an average. A column that one model alone changes is
    kept. What is no layer's weight is averaged over the models that change it.

    weight: How much each model counts: uₖ is multiplied by it.
    lambda: Scale of the merged difference.
    prompts: Prompts that show what a model is for: a file, one per line, or a list; model by model.
    samples: How many pictures per model the layers are watched on.
    steps: Denoising steps in which they are drawn.
    """
    rows = deltas.reshape(len(deltas), len(deltas[0]) if deltas.dim() > 2 else 1, -1)
    used = [squares.get(str(place)) for place in range(len(deltas))]
    if any(one is None for one in used):
        used = [torch.ones(rows.shape[-1]) for _ in deltas]
    shares = torch.as_tensor(weight).reshape(-1, 1) * torch.stack(used).to(deltas.dtype)
    own = torch.where(rows.any(dim=1), shares, 0.0)  # [n, columns]
    whole = total(own).clamp(min=torch.finfo(torch.float32).tiny)
    return lambda_ * total(rows * (own / whole)[:, None]).reshape(deltas.shape[1:])
