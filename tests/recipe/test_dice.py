"""Random values: within the limits, the same for the same seed, of every method's fractions."""

from __future__ import annotations

import json

import pytest

from sdmerge.errors import RecipeError
from sdmerge.manifest import manifest
from sdmerge.recipe.dice import rolled
from sdmerge.recipe.edit import edited

MODELS = [{"model": "a"}, {"model": "b"}]


def test_every_fraction_is_within_its_slider() -> None:
    for spec in manifest().values():
        stage = {"merge_method": spec.name, "models": MODELS}
        thrown = [rolled(stage, seed) for seed in range(20)]
        floats = [one for one in spec.params if one.kind == "float" and one.range]
        count = sum(len(MODELS) if one.per_model else 1 for one in floats)
        assert {len(one) for one in thrown} == {count}
        for address in thrown[0]:
            param = spec.param(address.rpartition(".")[2])
            assert param.range is not None
            values = [one[address] for one in thrown]
            assert all(param.range.low <= value <= param.range.high for value in values)
            assert len({*values}) > 3


def test_a_seed_throws_the_same_and_curves_stay_curves() -> None:
    curve = {"per": "block", "values": {"IN00": 0.5, "M00": 0.5}}
    stage = {"merge_method": "weighted_sum", "models": MODELS, "parameters": {"alpha": curve}}
    first, again, other = (rolled(stage, seed) for seed in (1, 1, 2))
    assert first == again != other
    assert first["parameters.alpha"]["values"].keys() == {"IN00", "M00"}
    assert first["parameters.alpha"]["per"] == "block"
    text = json.dumps(stage)
    made = edited(text, [f"{at}={json.dumps(value)}" for at, value in first.items()])
    assert json.loads(json.dumps(first["parameters.alpha"]["values"]))["IN00"] != 0.5
    assert str(first["parameters.alpha"]["values"]["IN00"]) in made


def test_without_a_method() -> None:
    with pytest.raises(RecipeError, match="no method"):
        rolled({"models": MODELS}, 0)
