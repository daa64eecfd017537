"""Greedy soup: average only the models that make the average better."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Annotated

import torch
from torch import Tensor

from sdmerge.consensus import weighted_sum
from sdmerge.fit import Found, Models
from sdmerge.method import Fitting, Stat, Weight, Weights, method
from sdmerge.params import Lines, Range

Count = Annotated[int, Range(1, 64, limits=(1, 10000))]


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


def ingredients(
    models: Models, *, scorer: str, prompts: str, samples: int, steps: int
) -> Iterator[Found]:
    """One for each input that is in the soup, else zero."""
    lines, count = prompts.split("\n")[:-1], len(models.names)

    def judge(soup: _Soup) -> float:
        return models.probe.score(soup, scorer, lines, samples=samples, steps=steps)

    yield from _chosen(models, judge, count)


def _chosen(models: Models, judge: Callable[[_Soup], float], count: int) -> Iterator[Found]:
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
    weights: Weights, chosen: Stat, *, scorer: str = "clip", prompts: Lines = "",  # noqa: ARG001  `chosen` is made by them
    samples: Count = 32, steps: Count = 8,  # noqa: ARG001  likewise
) -> Weight:  # fmt: skip
    """Average the models that raise the score, tried from the best to the worst.

    Wortsman et al., "Model soups", 2022, recipe 1: the best model first, then each that does not
    lower the score of the average. The score is what a scorer says of the pictures that the
    average draws; all are drawn from the same noise. Tensors that are not merged are the first
    model's while it draws. `sdmerge score --sanity` tells whether a scorer is fit for it.

    scorer: As after `sdmerge score --with`: clip, or clip,model=FOLDER; `sdmerge scorers` lists
        them.
    prompts: A file of prompts, one per line, or a list of them; they are the captions too.
    samples: How many pictures each average is judged by.
    steps: Denoising steps in which they are drawn.
    """
    return weighted_sum(weights, chosen.to(weights.dtype).reshape(-1, 1), normalize=True)
