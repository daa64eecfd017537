"""ZipLoRA's training: column mergers that keep what each model says of its own pictures."""

# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from sdmerge.fit import Said, Training
from sdmerge.sample.changed import Changed
from sdmerge.sample.denoising import Noisy, noisy

APART = 0.01
"""The mean similarity per layer at which mergers count as apart, and training ends."""

_AT_ONCE = 8
_SEEDS = 10_000  # further apart than the seeds of what is drawn


@dataclass(frozen=True, slots=True)
class Lessons:
    """What a model alone says of noisy latents of what it is for: one lesson after the other."""

    prompts: Sequence[str]
    seen: Noisy
    said: Tensor  # [n, c, h, w]

    def part(self, chosen: slice) -> Lessons:
        """Some of them."""
        return Lessons(self.prompts[chosen], _part(self.seen, chosen), self.said[chosen])


@dataclass(frozen=True, slots=True)
class Example:
    """A latent picture [1, c, h, w] of what a model is for, and a prompt that asks for it."""

    latent: Tensor
    prompt: str


@torch.no_grad()
def lessons(pipeline: Any, examples: Sequence[Example], training: Training, seed: int) -> Lessons:
    """What the pipeline says of the examples, taken in turn.

    As many as the training takes, each with another noise at another time.
    """
    count = training.updates * training.batch
    turns = [examples[n % len(examples)] for n in range(count)]
    own = [one.prompt for one in turns]
    seen = _together(
        noisy(pipeline, one.latent, seed + _SEEDS * (n + 1)) for n, one in enumerate(turns)
    )
    parts = [slice(n, n + _AT_ONCE) for n in range(0, count, _AT_ONCE)]
    said = [_part(seen, part).predicted(pipeline, own[part]) for part in parts]
    return Lessons(own, seen, torch.cat(said))


def _together(seen: Iterable[Noisy]) -> Noisy:
    fields = zip(*((one.latents, one.noise, one.times) for one in seen), strict=True)
    return Noisy(*(torch.cat(field) for field in fields))


def _part(seen: Noisy, chosen: slice) -> Noisy:
    return Noisy(seen.latents[chosen], seen.noise[chosen], seen.times[chosen])


def train(
    pipeline: Any, changed: Changed, taught: Mapping[str, Lessons], training: Training, said: Said
) -> None:
    """Train `changed.mergers` in place, by Adam, to say what the models taught.

    The loss is Σₖ ‖(D⊕L_m)(xₖ, pₖ) - (D⊕Lₖ)(xₖ, pₖ)‖ + λ·similarity (ZipLoRA, §4.2); in a batch
    the mean of the norms.
    """
    mergers = [merger for own in changed.mergers.values() for merger in own.values()]
    optimiser = torch.optim.Adam(mergers, lr=training.rate)
    for update in range(training.updates):
        chosen = slice(update * training.batch, (update + 1) * training.batch)
        now = [one.part(chosen) for one in taught.values()]
        with torch.enable_grad():
            fidelity = _distances(pipeline, now)
            alike, pairs = similarity(changed.mergers, training.similarity)
            loss = (
                fidelity @ fidelity.new_tensor(training.weights)
                + training.similarity_weight * alike
            )
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        mean = float(alike.detach()) / max(pairs, 1)
        terms = zip(taught, fidelity.detach(), strict=True)
        told = {f"fidelity {name}": float(term) for name, term in terms}
        far = distance(mergers)
        said((update + 1) / training.updates, {**told, "similarity": mean, "distance": far})
        if pairs and mean < APART:
            return


def _distances(pipeline: Any, now: Sequence[Lessons]) -> Tensor:
    """The distance [k] of what the merged model says from what each model said."""
    seen = _together(one.seen for one in now)
    prompts = [prompt for one in now for prompt in one.prompts]
    off = seen.predicted(pipeline, prompts) - torch.cat([one.said for one in now])
    return off.flatten(1).norm(dim=1).reshape(len(now), -1).mean(dim=1)


def similarity(mergers: Mapping[str, Mapping[int, Tensor]], kind: str) -> tuple[Tensor, int]:
    """The similarity of every two models' mergers, summed over all layers, and their number.

    |cos(mᵢ, mⱼ)|, or Σ |mᵢ ⊙ mⱼ| as the paper prints it.
    """
    terms = [
        _alike(one.flatten(), other.flatten(), kind)
        for own in mergers.values()
        for one, other in itertools.combinations(own.values(), 2)
    ]
    return (torch.stack(terms).sum() if terms else torch.zeros(())), len(terms)


def _alike(one: Tensor, other: Tensor, kind: str) -> Tensor:
    if kind == "product":
        return (one * other).abs().sum()
    return nn.functional.cosine_similarity(one, other, dim=0).abs()


def distance(mergers: Sequence[Tensor]) -> float:
    """How far the mergers are from 1, in the mean over all of their numbers."""
    total = sum(float((merger.detach() - 1).abs().double().sum()) for merger in mergers)
    return total / max(1, sum(merger.numel() for merger in mergers))


def found(mergers: Mapping[str, Mapping[int, Tensor]]) -> Iterator[tuple[str, dict[int, Tensor]]]:
    """The trained mergers by weight and place, one number per input channel."""
    for key, own in mergers.items():
        yield key, {place: m.detach().flatten().float().cpu() for place, m in own.items()}
