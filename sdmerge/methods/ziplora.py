"""ZipLoRA: trained mergers decide, input channel by input channel, whose difference counts."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, Literal

import torch
from torch import Tensor

from sdmerge.errors import MethodError
from sdmerge.fit import Examples, Found, Models, Training
from sdmerge.method import Delta, Deltas, Fitting, Stat, method, total
from sdmerge.params import Lines, PerModel, Pictures, Range, Share

Count = Annotated[int, Range(1, 64, limits=(1, 10000))]
Updates = Annotated[int, Range(10, 200, limits=(1, 100000))]
Rate = Annotated[float, Range(1e-3, 0.1, log=True, limits=(1e-8, 10.0))]
Penalty = Annotated[float, Range(0.0, 0.1, limits=(0.0, 1e6))]

MOVED = 0.05
"""Mergers that moved less, in the mean, give what adding up gives."""


def mergers(
    models: Models, *, prompts: tuple[str, ...], references: tuple[str, ...], weight: Tensor,
    updates: int, batch: int, rate: float, similarity: Literal["cosine", "product"],
    similarity_weight: float, samples: int, steps: int,
) -> Iterator[Found]:  # fmt: skip
    """The trained mergers, by input; an error if they did not move."""
    places = range(len(models.names))
    changes = {key: [models.change(place, key) for place in places] for key in models.shapes}
    changes = {
        key: own for key, own in changes.items() if any(change is not None for change in own)
    }
    if not changes:
        return
    shown = {
        name: Examples(text.splitlines(), models.pictures(album))
        for name, text, album in zip(models.names, prompts, references, strict=True)
    }
    weights = [float(one) for one in weight]
    training = Training(
        weights, updates, batch, rate, similarity, similarity_weight, samples, steps
    )
    far, count = 0.0, 0
    for key, found in models.probe.mergers(changes, shown, training, models.report):
        far += sum(float((merger - 1).abs().double().sum()) for merger in found.values())
        count += sum(merger.numel() for merger in found.values())
        yield key, {str(place): merger for place, merger in found.items()}
    if count and far / count < MOVED:
        what = f"the mergers moved by {far / count:.2g} in the mean: that is the plain sum"
        hint = f"Raise rate (now {rate:g}; the paper has 0.01) or updates (now {updates})."
        raise MethodError(what, hint=hint)


@method(
    title="ZipLoRA", paper="https://arxiv.org/abs/2311.13600", unit="tensor",
    fit=Fitting(mergers, probe="mergers"), rotation="left",
)  # fmt: skip
def ziplora(
    deltas: Deltas, mergers: Stat, *, weight: PerModel[Share] = 1.0,  # noqa: ARG001  `mergers` are made of it
    prompts: PerModel[Lines] = "", references: PerModel[Pictures] = "",  # noqa: ARG001  likewise
    updates: Updates = 100, batch: Count = 1,  # noqa: ARG001  likewise
    rate: Rate = 0.01, similarity: Literal["cosine", "product"] = "cosine",  # noqa: ARG001  likewise
    similarity_weight: Penalty = 0.01, samples: Count = 8, steps: Count = 8,  # noqa: ARG001  likewise
) -> Delta:  # fmt: skip
    """Scale each column of each difference by a trained merger: ΔW = Σ ΔWₖ·diag(mₖ).

    Shah et al., "ZipLoRA: Any Subject in Any Style by Effectively Merging LoRAs", 2023, §4.2. The
    mergers start at 1 and are trained, by Adam, to least Σₖ ‖ε(xₖ, pₖ) - εₖ(xₖ, pₖ)‖ + λ·similarity
    on the prompts pₖ and noisy latents xₖ that show what model k is for, with ε the merged model
    and εₖ the base with ΔWₖ alone. Here xₖ are reference pictures or, without any, drawn by model k
    itself, and a convolution has a merger per input channel. The text encoder is trained too. For
    more than two models the similarity is summed over the pairs. Training ends early when it is
    below 0.01 per layer. What is no layer's weight is added up. Mergers that move by less than 0.05
    in the mean are an error: the result would be the plain sum.

    weight: How much it counts that a model keeps what it says of its own pictures; the paper has 1.
    prompts: Prompts that show what a model is for: a file, one per line, or a list; model by model.
        Where each of its references has one of its own, they are not needed.
    references: Pictures of what a model is for: a folder, model by model, with each picture's
        prompt in a .txt of its name, or else the model's prompts in turn.
    updates: Steps of training, at most.
    batch: Noisy latents per model and step of training.
    rate: Adam's learning rate: no merger moves much further than updates · rate.
    similarity: Per layer |cos(mᵢ, mⱼ)| (cosine), or Σ |mᵢ·mⱼ| (product), as the formula is printed.
    similarity_weight: The paper's λ: how much similar mergers cost.
    samples: How many pictures per model are drawn to train on, where it has no references.
    steps: Denoising steps in which they are drawn.
    """
    scaled = [_scaled(delta, mergers.get(str(place))) for place, delta in enumerate(deltas)]
    return total(torch.stack(scaled))


def _scaled(delta: Tensor, merger: Tensor | None) -> Tensor:
    if merger is None:
        return delta
    columns = delta.reshape(len(delta), len(merger), -1)
    return (columns * merger.to(delta.dtype)[:, None]).reshape(delta.shape)
