"""SSR-Merge: what enters the stacked factors is routed to the model that it belongs to."""

# torch does not type its linear algebra
# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false
# pyright: reportUnknownArgumentType=false

from __future__ import annotations

import functools
from collections.abc import Iterator
from typing import Annotated

import torch
from torch import Tensor

from sdmerge.fit import Found, Keep, Models
from sdmerge.method import Delta, Deltas, Fitting, Stat, method, total
from sdmerge.params import Lines, PerModel, Range, Scale, Strength
from sdmerge.spectrum import as_matrix, one_thread, svd

Count = Annotated[int, Range(1, 64, limits=(1, 10000))]
Rank = Annotated[int, Range(1, 256, limits=(1, 65536))]
Ridge = Annotated[float, Range(1e-6, 1e-1, log=True, limits=(1e-12, 1e6))]


def signals(
    models: Models, *, prompts: tuple[str, ...], samples: int, steps: int, rank: int
) -> Iterator[Found]:
    """Per layer the stacked down factors, and per input its own signals' inner products."""
    places = range(len(models.names))
    keep: dict[str, Keep] = {}
    for number, (key, shape) in enumerate(models.shapes.items()):
        models.report(number / len(models.shapes) / 2)
        if len(shape) < 2 or 0 in shape:
            continue
        downs = [_down(models.read(place, key), rank) for place in places]
        if sum(len(down) > 0 for down in downs) > 1:
            ranks = torch.tensor([len(down) for down in downs])
            yield key, {"ranks": ranks, "down": torch.cat(downs)}
            keep[key] = functools.partial(_products, torch.cat(downs))
    for place, own in enumerate(prompts):
        models.report((1 + place / len(prompts)) / 2)
        for key, sums in models.probe.activations(
            place, own.splitlines(), keep, samples=samples, steps=steps
        ):
            yield key, {str(place): sums}


@one_thread()
def _down(delta: Tensor, rank: int) -> Tensor:
    """√Σ·Vᵀ of ΔW = (U√Σ)(√ΣVᵀ), float64."""
    found = svd(as_matrix(delta), rank)
    return found.values.sqrt()[:, None] * found.right


def _products(down: Tensor, rows: Tensor) -> Tensor:
    """zᵀz [r+1, r+1] of z = (A x, 1), summed over the rows x; the ones count them."""
    routed = torch.cat([rows.double() @ down.T, rows.new_ones(len(rows), 1).double()], dim=1)
    return routed.T @ routed


@method(
    title="SSR-Merge", paper="https://arxiv.org/abs/2606.10617", unit="tensor",
    fit=Fitting(signals, probe="activations"), rotation="left",
)  # fmt: skip
def ssr_merge(
    deltas: Deltas, signals: Stat, *, weight: PerModel[Strength] = 1.0, ridge: Ridge = 1e-4,
    lambda_: Scale = 1.0, prompts: PerModel[Lines] = "", samples: Count = 8,  # noqa: ARG001  `signals` are made of it
    steps: Count = 1, rank: Rank = 128,  # noqa: ARG001  likewise
) -> Delta:  # fmt: skip
    """Route what enters each layer to the difference whose prompts it is typical of: ΔW = B·R·A.

    "SSR-Merge: Subspace Signal Routing for Training-Free LoRA Merging in Diffusion Models", 2026.
    A = [A₁; …; A_K] and B = [B₁ … B_K] are the stacked factors, z = A x what they make of a layer's
    inputs x. With G = Σₖ Σ z zᵀ and the rows Qₖ = Σ zₖ zᵀ over the N inputs that model k sees
    while it draws its own prompts, R = Q/N·(G/N + ridge·I)⁻¹ in float64: the least squares that
    give every model's own output on its own inputs. A method sees ΔW and not a file's factors, so
    Aₖ = √Σ·Vᵀ of its singular value decomposition; only the ridge depends on that. What one model
    alone changes is passed through; vectors are added.

    weight: How much of each difference is merged.
    ridge: Added to the diagonal: the signals' mean squares are compared with it.
    lambda: Scale of the merged difference.
    prompts: Prompts that show what a model is for: a file, one per line, or a list; model by model.
    samples: How many pictures per model the layers are watched on.
    steps: Denoising steps in which they are drawn.
    rank: Largest rank of a difference: of a full fine-tune the strongest directions are routed.
    """
    shares = torch.as_tensor(weight).reshape(-1, *[1] * (deltas.dim() - 1))
    if not all(str(place) in signals for place in range(len(deltas))):
        return lambda_ * total(shares * deltas)
    routed = _routed(deltas, signals, ridge, shares.double().reshape(-1, 1, 1))
    return lambda_ * routed.reshape(deltas.shape[1:]).to(deltas.dtype)


@one_thread()
def _routed(deltas: Tensor, signals: dict[str, Tensor], ridge: float, shares: Tensor) -> Tensor:
    """B·R·A [out, rest]."""
    down, ranks = signals["down"], signals["ranks"].tolist()
    own = [signals[str(place)] for place in range(len(deltas))]
    # a model without a part in this layer was not to be listened to here
    heard = [one[:-1, :-1] for one, rank in zip(own, ranks, strict=True) if rank]
    seen = sum(float(one[-1, -1]) for one, rank in zip(own, ranks, strict=True) if rank)
    whole = torch.stack(heard).sum(dim=0) / seen
    rows = [one[sum(ranks[:place]) : sum(ranks[: place + 1]), :-1] for place, one in enumerate(own)]
    ridged = whole + ridge * torch.eye(len(whole), dtype=whole.dtype)
    router = torch.linalg.solve(ridged, (torch.cat(rows) / seen).T).T
    ups = [
        share * as_matrix(delta) @ _inverse(part)
        for share, delta, part in zip(shares, deltas, down.split(ranks), strict=True)
    ]
    return torch.cat(ups, dim=1) @ router @ down


def _inverse(down: Tensor) -> Tensor:
    """The right inverse of √Σ·Vᵀ, V/√Σ: ΔW times it is U√Σ."""
    return down.T / down.square().sum(dim=1)
