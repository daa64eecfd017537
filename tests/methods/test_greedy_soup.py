"""Greedy soup: Wortsman et al., 2022, recipe 1, with the distance to a model as the score."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import pytest
import tiny
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from sdmerge.adapters import LoraFile, MappedSource, open_model
from sdmerge.cli.recipes import probe
from sdmerge.errors import PlanError, UnknownScorer
from sdmerge.merge import run
from sdmerge.methods.greedy_soup import ingredients
from sdmerge.sinks import LoraSink

SAMPLES = Path(__file__).resolve().parents[2] / "samples"
ENGLISH = [
    "a red cross on a black background",
    "a blue heart on a white background",
    "a green star on an orange background",
    "a yellow ring on a purple background",
]


def recipe_1(models: list[np.ndarray], target: np.ndarray) -> list[int]:
    """The paper's procedure on vectors."""

    def judge(places: list[int]) -> float:
        return -float(np.square(np.mean([models[p] for p in places], 0) - target).sum())

    soup: list[int] = []
    for place in sorted(range(len(models)), key=lambda p: -judge([p])):
        if not soup or judge([*soup, place]) >= judge(soup):
            soup.append(place)
    return soup


class NearTarget:
    """A probe whose scorer wants one vector."""

    def __init__(self, target: np.ndarray) -> None:
        self.target = torch.from_numpy(target)
        self.asked: set[tuple[str, tuple[str, ...], int, int]] = set()

    def score(
        self,
        weights: Mapping[str, Tensor],
        scorer: str,
        prompts: Sequence[str],
        *,
        samples: int,
        steps: int,
    ) -> float:
        self.asked.add((scorer, tuple(prompts), samples, steps))
        return -float((weights["k"] - self.target).square().sum())


@given(st.lists(st.integers(-8, 8).map(float), min_size=2, max_size=5, unique=True))
def test_it_takes_what_the_paper_takes(offsets: list[float]) -> None:
    base = np.arange(6.0)
    vectors = [base + offset * (1 + place / 7) for place, offset in enumerate(offsets)]
    judge = NearTarget(base + 0.3)

    class InMemory:
        names = tuple("abcde"[: len(vectors)])
        shapes: Mapping[str, tuple[int, ...]] = {"k": (6,)}
        probe = judge

        def read(self, place: int, key: str) -> Tensor:
            return torch.from_numpy(vectors[place])

        def report(self, done: float) -> None:
            assert 0 <= done <= 1

    asked = {"scorer": "clip", "prompts": "a\nb\n", "samples": 5, "steps": 3}
    (found,) = ingredients(InMemory(), **asked)  # pyright: ignore
    wanted = recipe_1(vectors, base + 0.3)
    assert found[1].tolist() == [float(place in wanted) for place in range(len(vectors))]
    assert judge.asked == {("clip", ("a", "b"), 5, 3)}


def _recipe(**parameters: object) -> tiny.Data:
    models = [{"model": str(SAMPLES / "models" / name)} for name in ("distractor", "base")]
    return {
        "merge_method": "greedy_soup",
        "models": models,
        "parameters": {
            "scorer": f"clip,model={SAMPLES}/scorers/clip_a", "prompts": ENGLISH, "samples": 2,
            "steps": 3, **parameters,
        },
    }  # fmt: skip


@pytest.mark.filterwarnings("ignore")  # others' deprecations are not ours to mend
def test_a_bad_parent_is_left_out() -> None:
    """The distractor draws wrong colours: CLIP hears of it, and the soup is the base alone."""
    merged = tiny.merged(_recipe(), probe=probe)
    base = tiny.canonical(SAMPLES / "models" / "base")
    same = [torch.equal(merged[key].reshape(-1), rows) for key, rows in base.items()
            if key.startswith("unet.")]  # fmt: skip
    assert len(same) == 686
    assert all(same)


@pytest.mark.parametrize(
    ("scorer", "phrase"),
    [("clpi", "no scorer 'clpi'"), ("python:os:system", "no scorer 'python:os:system'")],
)
@pytest.mark.filterwarnings("ignore")
def test_a_recipe_cannot_run_just_anything(scorer: str, phrase: str) -> None:
    with pytest.raises(UnknownScorer, match=phrase):
        tiny.merged(_recipe(scorer=scorer), probe=probe)


def test_it_needs_prompts_and_models_that_run() -> None:
    with pytest.raises(PlanError, match="needs prompts"):
        tiny.planned(_recipe(prompts=""))
    with pytest.raises(PlanError, match="looks at models that run"):
        tiny.merged(_recipe())


@pytest.mark.filterwarnings("ignore")
def test_its_result_can_be_a_lora(tmp_path: Path) -> None:
    """The change is that of the checkpoint that the same recipe gives."""
    base, loras = SAMPLES / "models" / "base", SAMPLES / "loras"
    recipe = {
        **_recipe(samples=1, steps=1), "base_model": str(base), "dtype": "float32",
        "models": [{"model": str(loras / f"{name}.safetensors")} for name in ("torii", "pop")],
    }  # fmt: skip
    sink = LoraSink(tmp_path / "x.safetensors")
    run(tiny.planned({**recipe, "output": {"layout": "lora", "rank": 24}}), sink, probe=probe)
    merged, before = tiny.merged(recipe, probe=probe), tiny.canonical(base)
    lora, model = open_model(tmp_path / "x.safetensors"), open_model(base)
    assert isinstance(lora, LoraFile)
    assert isinstance(model, MappedSource)
    source = lora.bind(model.family, model.specs)
    for key, tensor in merged.items():
        wanted = tensor.double().flatten() - before[key].double().flatten()
        found = source.read(key).double() if key in source.specs else torch.zeros(())
        assert float((found - wanted).abs().max()) < 1e-5, key
    assert source.specs
