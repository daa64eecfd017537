"""Greedy soup: Wortsman et al., 2022, recipe 1, with the distance to a model as the score."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pytest
import tiny
import torch
from hypothesis import given
from hypothesis import strategies as st
from sdmerge.scores import find_score, score
from torch import Tensor

from sdmerge.errors import MethodError

TARGET: dict[str, Tensor] = {}


@score
def near_target(model: Mapping[str, Tensor]) -> float:
    """Minus the squared distance to TARGET."""
    return -sum(
        float((tensor - TARGET[key]).double().square().sum()) for key, tensor in model.items()
    )


def unmarked(model: Mapping[str, Tensor]) -> float:
    return float(len(model))


def recipe_1(models: list[np.ndarray], target: np.ndarray) -> list[int]:
    """The paper's procedure on vectors."""

    def judge(places: list[int]) -> float:
        return -float(np.square(np.mean([models[p] for p in places], 0) - target).sum())

    soup: list[int] = []
    for place in sorted(range(len(models)), key=lambda p: -judge([p])):
        if not soup or judge([*soup, place]) >= judge(soup):
            soup.append(place)
    return soup


@given(st.lists(st.integers(-8, 8).map(float), min_size=2, max_size=5, unique=True))
def test_it_takes_what_the_paper_takes(offsets: list[float]) -> None:
    from sdmerge.methods.greedy_soup import ingredients

    base = np.arange(6.0)
    vectors = [base + offset * (1 + place / 7) for place, offset in enumerate(offsets)]
    TARGET["k"] = torch.from_numpy(base + 0.3)

    class InMemory:
        names = tuple("abcde"[: len(vectors)])
        shapes: Mapping[str, tuple[int, ...]] = {"k": (6,)}

        def read(self, place: int, key: str) -> Tensor:
            return torch.from_numpy(vectors[place])

        def report(self, done: float) -> None:
            assert 0 <= done <= 1

    (found,) = ingredients(InMemory(), score=f"python:{__name__}:near_target")  # pyright: ignore
    wanted = recipe_1(vectors, base + 0.3)
    assert found[1].tolist() == [float(place in wanted) for place in range(len(vectors))]


def test_a_recipe_leaves_out_what_lowers_the_score() -> None:
    base = tiny.canonical(tiny.words(0))
    TARGET.clear()
    TARGET.update({key: tensor.float() for key, tensor in base.items()})
    shapes = {key: value.shape for key, value in tiny.planned(_recipe()).fits[0].specs.items()}
    for key, shape in shapes.items():
        TARGET[key] = TARGET[key].reshape(shape)
    merged = tiny.merged(_recipe())
    alone = tiny.canonical(tiny.words(1))
    for key, tensor in merged.items():
        assert torch.equal(tensor.reshape(-1), alone[key]), "the model that is near, and no other"


def _recipe() -> tiny.Data:
    far = tiny.edited(
        tiny.words(2), tiny.FOLDER / "far.safetensors",
        **{name: tensor + 3 for name, tensor in tiny.load(tiny.words(2)).items()
           if tensor.is_floating_point()},
    )  # fmt: skip
    return {
        "merge_method": "greedy_soup",
        "models": [{"model": str(far)}, {"model": str(tiny.words(1))}],
        "parameters": {"score": f"python:{__name__}:near_target"},
    }


@pytest.mark.parametrize(
    "name",
    ["", "near_target", "python:os:system", "python:nowhere:f", f"python:{__name__}:unmarked"],
)
def test_a_recipe_cannot_run_just_anything(name: str) -> None:
    with pytest.raises(MethodError, match="score"):
        find_score(name)
