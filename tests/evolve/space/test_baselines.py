"""Baselines: the parents exactly, their average, and task arithmetic."""

from __future__ import annotations

import functools

import pytest
import torch
from tiny import SAMPLES, canonical, merged

from evolve.space.worlds import planned, read, space, two, weights
from sdmerge.evolve.space import Baseline, Space, parents, soup, sweep
from sdmerge.recipe import parse_recipe, to_yaml

MARK = "{search: [0, 1.5], init: 0.7, per: block}"
TAKEN = "components: {text_encoder: {take: ja}, tokenizer: {take: ja}}"


@functools.cache
def marked() -> Space:
    """Two models, each with a weight per block; planned once."""
    return space(two(MARK, MARK))


@functools.cache
def taken() -> Space:
    """The same with text encoder and tokenizer of one of them."""
    return space(two(MARK, MARK, TAKEN))


def by_name(found: list[Baseline]) -> dict[str, Baseline]:
    return {one.name: one for one in found}


def test_parents_are_the_files_tensor_by_tensor() -> None:
    found = by_name(parents(marked()))
    assert list(found) == ["base", "ja", "uk"]
    for name, model in (("base", "base"), ("uk", "ukiyoe")):
        made, own = merged(planned(found[name].recipe)), canonical(SAMPLES / model)
        assert made.keys() == own.keys()
        assert all(torch.equal(made[key].reshape(-1), own[key]) for key in own)


def test_a_parent_is_a_candidate_where_its_weights_are_genes() -> None:
    found = marked()
    rows = by_name(parents(found))
    assert rows["base"].candidate is None
    candidate = rows["ja"].candidate
    assert candidate is not None
    assert set(candidate.values()) == {0.0, 1.0}
    assert {tuple(own.values()) for own in weights(planned(found.fill(candidate))).values()} == {
        (1.0, 0.0)
    }


def test_with_components_taken_whole_a_parent_comes_in_the_recipe_too() -> None:
    found = by_name(parents(taken()))
    assert list(found) == ["base", "ja", "uk", "ja in the recipe", "uk in the recipe"]
    assert found["uk"].candidate is None
    inside = found["uk in the recipe"]
    assert inside.candidate is not None
    plan = planned(inside.recipe)
    assert {tuple(own.values()) for own in weights(plan).values()} == {(0.0, 1.0)}
    how = {part.name: part.how for part in plan.report.components}
    assert (how["unet"], how["text_encoder"]) == ("task_arithmetic", "taken from ja")


def test_a_lora_is_a_parent_on_its_base() -> None:
    found = space(
        read("""
            merge_method: ties
            base_model: samples/models/base
            models:
              - {model: samples/models/ukiyoe, parameters: {weight: {search: [0, 1]}}}
              - {model: samples/loras/pop.safetensors, parameters: {weight: {search: [0, 1]}}}
        """)
    )
    rows = by_name(parents(found))
    assert list(rows) == ["base", "ukiyoe", "pop"]
    assert {one.candidate for one in rows.values()} == {None}  # what TIES makes of it is another
    alone = read("""
        merge_method: task_arithmetic
        base_model: samples/models/base
        models: [{model: samples/loras/pop.safetensors}]
    """)
    made, wanted = merged(planned(rows["pop"].recipe)), merged(planned(alone))
    for key, tensor in wanted.items():
        torch.testing.assert_close(made[key], tensor)
    assert soup(found).recipe.stages[-1].method == "task_arithmetic"
    assert soup(found).candidate is None


def test_the_soup_is_the_mean() -> None:
    found = soup(marked())
    assert found.name == "uniform soup"
    assert found.candidate is not None
    assert set(found.candidate.values()) == {0.5}
    made = merged(planned(found.recipe))
    japanese, ukiyoe = canonical(SAMPLES / "japanese"), canonical(SAMPLES / "ukiyoe")
    key = "unet.conv_in.weight"
    mean = (japanese[key].double() + ukiyoe[key].double()) / 2
    torch.testing.assert_close(made[key].reshape(-1).double(), mean, atol=1e-3, rtol=1e-3)


def test_the_sweep_is_task_arithmetic_with_one_weight() -> None:
    found = sweep(marked(), (0.2, 1.2))
    assert [one.name for one in found] == [
        "task arithmetic λ=0.2",
        "task arithmetic λ=1.2",
    ]
    for one, number in zip(found, (0.2, 1.2), strict=True):
        assert one.candidate is not None
        assert set(one.candidate.values()) == {number}
        plan = planned(one.recipe)
        assert {tuple(own.values()) for own in weights(plan).values()} == {(number, number)}


def test_values_beyond_the_search_are_recipes_without_a_candidate() -> None:
    small = "{search: [0, 1]}"
    outside = sweep(space(two(small, small)))[-1]
    assert (outside.name, outside.candidate) == ("task arithmetic λ=1.2", None)
    planned(outside.recipe)


def test_without_a_base_there_are_parents_and_a_soup() -> None:
    found = space(
        read("""
            merge_method: slerp
            models: [{model: samples/models/ukiyoe}, {model: samples/models/japanese}]
            parameters: {t: {search: [0, 1]}}
        """)
    )
    assert list(by_name(parents(found))) == ["ukiyoe", "japanese"]
    assert soup(found).recipe.stages[-1].method == "linear"
    assert sweep(found) == []


@pytest.mark.parametrize("weight", ["{search: [0, 1], per: model}", "{search: [0, 1]}"])
def test_weights_shared_by_all_models(weight: str) -> None:
    found = space(
        read(f"""
            merge_method: task_arithmetic
            base_model: samples/models/base
            models:
              - {{model: samples/models/japanese, name: ja}}
              - {{model: samples/models/ukiyoe, name: uk}}
            parameters: {{weight: {weight}}}
        """)
    )
    assert soup(found).candidate == {gene.name: 0.5 for gene in found.genes}
    rows = by_name(parents(found))
    assert (rows["ja"].candidate is not None) == ("model" in weight)


def test_every_baseline_can_be_written_and_read() -> None:
    found = taken()
    for one in [*parents(found), soup(found), *sweep(found)]:
        again = parse_recipe(to_yaml(one.recipe), "r.yaml", found.recipe.folder)
        assert again == one.recipe
        assert "search" not in to_yaml(one.recipe)
