"""PCB-Merging: entries compete within their model and with the other models."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass

import numpy as np
import torch
from torch import Tensor

from sdmerge.fit import Found, Models
from sdmerge.method import Delta, Deltas, Fitting, Stat, method
from sdmerge.params import Fraction, PerModel, Scale, Strength
from sdmerge.together import Scope, together
from sdmerge.whole import Whole


@dataclass(frozen=True, slots=True)
class Arena:
    """What the scores need of the whole tensors, for each pair of models [n, n]."""

    lows: np.ndarray
    widths: np.ndarray
    intra: np.ndarray
    inter: np.ndarray

    def strengths(self, rows: np.ndarray, i: int, j: int) -> np.ndarray:
        """Norm(τᵢ·τⱼ): from 0 for the smallest product to 1 for the largest."""
        return (rows[i] * rows[j] - self.lows[i, j]) / self.widths[i, j]

    def scores(self, rows: np.ndarray) -> np.ndarray:
        """βᵢ = Softmax(N·Norm(τᵢ·τᵢ)) · Σⱼ Softmax(Norm(τᵢ·τⱼ)), up to a factor common to all."""
        count = len(rows)
        made = np.zeros_like(rows)
        for i in range(count):
            for j in range(count):
                made[i] += np.exp(self.strengths(rows, i, j)) / self.inter[i, j]
            made[i] *= np.exp(count * self.strengths(rows, i, i)) / self.intra[i]
        return made


def compete(whole: Whole, density: Tensor) -> Mapping[str, Tensor]:
    """The arena by name, and as `cut` for each model the smallest score [n, 1] that is kept."""
    count = len(whole)
    lows, highs = whole.extremes(lambda rows: (rows[:, None] * rows).reshape(count**2, -1))
    widths = np.where(highs > lows, highs - lows, 1.0)
    pairs, ones = (count, count), np.ones((count, count))
    arena = Arena(lows.reshape(pairs), widths.reshape(pairs), ones[0], ones)

    def exponentials(rows: np.ndarray) -> np.ndarray:
        inter = [arena.strengths(rows, i, j) for i in range(count) for j in range(count)]
        intra = [count * arena.strengths(rows, i, i) for i in range(count)]
        return np.exp(np.stack(inter + intra))

    # the mean instead of the sum: softmax times the number of entries, which float32 can hold
    means = whole.sums(exponentials) / whole.numel
    inter, intra = means[: count**2].reshape(pairs), means[count**2 :]
    arena = Arena(arena.lows, arena.widths, intra, inter)
    kept = [[math.ceil(float(share) * whole.numel - 1e-6)] for share in density.reshape(-1)]
    cut = whole.kth_largest(lambda leaf, _: arena.scores(leaf), kept)
    return {name: torch.as_tensor(one) for name, one in {**asdict(arena), "cut": cut}.items()}


def compete_together(models: Models, *, density: Tensor, balance: Scope) -> Iterator[Found]:
    """The same over all tensors of a block, or over all that the merge is over."""
    yield from together(models, balance, lambda whole: compete(whole, density), passes=4)


@method(
    title="PCB-Merging", paper="https://arxiv.org/abs/2410.02396", stats=compete,
    fit=Fitting(compete_together, unless=("balance", "tensor")),
)  # fmt: skip
def pcb(
    deltas: Deltas, found: Stat, *, weight: PerModel[Strength] = 1.0,
    density: PerModel[Fraction] = 0.2,  # noqa: ARG001  `found` is made of it
    lambda_: Scale = 1.0, balance: Scope = "tensor",  # noqa: ARG001  likewise
) -> Delta:  # fmt: skip
    """Score each entry against its own model and against the others, average the best by score.

    Du et al., "Parameter competition balancing for model merging", 2024:
    βᵢ = Softmax(N·Norm(τᵢ⊙τᵢ)) ⊙ Σⱼ Softmax(Norm(τᵢ⊙τⱼ)), Norm from 0 for the smallest to 1 for the
    largest, Softmax over the entries; the lower scores are dropped, and λ·Σ βᵢ·wᵢ·τᵢ / Σ βᵢ is
    added to the base. The authors' program differs from the paper: tanh, and exp without its sum.
    An entry that all models drop stays with the base; where all products are equal, none is
    stronger.

    weight: Factor of each model's difference; it plays no part in the scores.
    density: Share of each model's entries kept, those of the highest score; the paper's r.
    lambda: Scale of the merged difference.
    balance: Whether entries compete within their tensor, their block, or as in the paper the whole
        model. A component with a rule of its own competes by itself.
    """
    arrays = {name: one.numpy() for name, one in found.items()}
    cut = arrays.pop("cut")
    scales = Arena(**arrays)
    rows = deltas.numpy().astype(np.float64)
    scores = scales.scores(rows)
    scores[scores.astype(np.float32) < cut] = 0.0
    shares = torch.as_tensor(weight).broadcast_to(len(deltas), 1).double().numpy()
    mixed = sum(
        score * (share * row) for score, share, row in zip(scores, shares, rows, strict=True)
    )
    whole = sum(scores)
    merged = np.divide(mixed, whole, out=np.zeros_like(rows[0]), where=whole > 0)
    return lambda_ * torch.as_tensor(merged, dtype=deltas.dtype)
