"""Greedy soup: average only the models that make the average better."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

import torch
from torch import Tensor

from sdmerge.consensus import weighted_sum
from sdmerge.fit import Found, Models
from sdmerge.method import Fitting, Stat, Weight, Weights, method
from sdmerge.scores import find_score


class _Soup(Mapping[str, Tensor]):
    """The average of some of the models, tensor by tensor."""

    def __init__(self, models: Models, places: Sequence[int]) -> None:
        self._models = models
        self._places = places

    def __getitem__(self, key: str) -> Tensor:
        if key not in self._models.shapes:
            raise KeyError(key)
        stack = [self._models.read(place, key) for place in self._places]
        return torch.stack(stack).mean(dim=0)

    def __iter__(self) -> Iterator[str]:
        return iter(self._models.shapes)

    def __len__(self) -> int:
        return len(self._models.shapes)


def ingredients(models: Models, *, score: str) -> Iterator[Found]:
    """One for each input that is in the soup, else zero."""
    judge, count = find_score(score), len(models.names)
    alone = [judge(_Soup(models, [place])) for place in range(count)]
    models.report(0.5)
    first, *others = sorted(range(count), key=lambda place: -alone[place])
    taken, best = [first], alone[first]
    for number, place in enumerate(others):
        found = judge(_Soup(models, [*taken, place]))
        if found >= best:
            taken, best = [*taken, place], found
        models.report(0.5 + 0.5 * (number + 1) / count)
    chosen = torch.tensor([float(place in taken) for place in range(count)])
    for key in models.shapes:
        yield key, chosen


@method(
    title="Greedy soup", paper="https://arxiv.org/abs/2203.05482",
    fit=Fitting(ingredients, probe="score"),
)  # fmt: skip
def greedy_soup(
    weights: Weights, chosen: Stat, *, score: str = "",  # noqa: ARG001  `chosen` is made by it
) -> Weight:  # fmt: skip
    """Average the models that raise the score, tried from the best to the worst.

    Wortsman et al., "Model soups", 2022, recipe 1: the best model first, then each that does not
    lower the score of the average. The score sees the tensors that are merged, no others.

    score: A function marked with @sdmerge.scores.score that takes tensors by key and returns a
        number, more being better: python:module:function, its file loaded with --plugin.
    """
    return weighted_sum(weights, chosen.to(weights.dtype).reshape(-1, 1), normalize=True)
