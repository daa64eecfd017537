"""A stand-in for models that run: numbers that depend on what is asked, and on nothing else."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor, nn

from sdmerge.fit import Change, Examples, Keep, Said, Training
from sdmerge.plan.tasks import Fit

_MOST_CHANNELS = 1000
"""No layer of a real network has as many as a long row of numbers."""


class StandIn:
    """A probe for tensors that belong to no model."""

    def __init__(self, fit: Fit) -> None:
        self._fit = fit

    def networks(self) -> Mapping[str, tuple[nn.Module, Mapping[str, Any]]]:
        """A network of the first tensor, whose channels may come in any order."""
        key, spec = next(iter(self._fit.specs.items()))
        if math.prod(spec.shape[:1]) > _MOST_CHANNELS:
            return {}
        component, _, name = key.partition(".")
        return {component: (_Summed(name, spec.shape), {})}

    def activations(
        self, place: int, prompts: Sequence[str], keep: Mapping[str, Keep], *,
        samples: int, steps: int,
    ) -> Iterator[tuple[str, Tensor]]:  # fmt: skip
        """What is kept of a few random rows."""
        for key, spec in self._fit.specs.items():
            width = math.prod(spec.shape[1:])
            if len(spec.shape) > 1 and width > 0 and key in keep:
                rows = self._noise(place, key, (2 * width, width), prompts, samples, steps)
                yield key, keep[key](rows)

    def gradients(
        self, place: int, prompts: Sequence[str], *, samples: int, steps: int
    ) -> Iterator[tuple[str, Tensor]]:
        """Squares of random numbers."""
        for key, spec in self._fit.specs.items():
            yield key, self._noise(place, key, spec.shape, prompts, samples, steps).square().float()

    def score(
        self,
        weights: Mapping[str, Tensor],
        scorer: str,
        prompts: Sequence[str],
        *,
        samples: int,
        steps: int,
    ) -> float:
        """More for larger weights, or for smaller ones, as the question has it."""
        asked = repr((scorer, list(prompts), samples, steps)).encode()
        sign = 1 - 2 * (hashlib.blake2b(asked).digest()[0] & 1)
        return sign * sum(float(tensor.double().sum()) for tensor in weights.values())

    def mergers(
        self, changes: Mapping[str, Sequence[Change | None]], shown: Mapping[str, Examples],
        training: Training, said: Said,
    ) -> Iterator[tuple[str, Mapping[int, Tensor]]]:  # fmt: skip
        """Random numbers, far from 1."""
        said(1.0, {})
        asked = list(zip(shown.values(), training.weights, strict=True))
        shared = replace(training, weights=())
        for key, inputs in changes.items():
            shape = self._fit.specs[key].shape
            places = [place for place, change in enumerate(inputs) if change is not None]
            if len(shape) > 1:
                noise = {
                    place: self._noise(place, key, shape[1:2], asked[place], shared)
                    for place in places
                }
                yield key, {place: 2 * one.float() for place, one in noise.items()}

    def _noise(self, place: int, key: str, shape: tuple[int, ...], *asked: object) -> Tensor:
        text = repr((self._fit.seed, self._fit.names[place], key, shape, asked)).encode()
        seed = int.from_bytes(hashlib.blake2b(text, digest_size=6).digest(), "little")
        return torch.randn(shape, generator=torch.Generator().manual_seed(seed)).double()


class _Summed(nn.Module):
    """The sum of a tensor over its first axis."""

    def __init__(self, name: str, shape: tuple[int, ...]) -> None:
        super().__init__()
        self._name = name
        self.tensor = nn.Parameter(torch.empty(shape, device="meta"))

    def state_dict(self, *_: Any, **__: Any) -> dict[str, Tensor]:
        """The one tensor, under the name it goes by."""
        return {self._name: self.tensor}

    def forward(self) -> Tensor:
        return self.tensor.sum(0) if self.tensor.dim() else self.tensor * 1
