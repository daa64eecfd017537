"""The search space: marks of every kind as genes, and recipes that say what candidates say."""

from __future__ import annotations

import random
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from plan.test_contract import EXAMPLE

from evolve.space.worlds import BLOCKS, names, planned, read, space, two, weights
from sdmerge.errors import InputError
from sdmerge.evolve.genes import Gene, candidate_at
from sdmerge.evolve.space import Space
from sdmerge.plan import Apply
from sdmerge.plan.filters import CLASSES
from sdmerge.recipe import Applied, parse_recipe, to_yaml
from sdmerge.testing import random_lora, random_model

BLOCK = "{search: [0, 1.5], init: 0.5, per: block}"


def somewhere(of: Space, seed: int = 0) -> dict[str, Any]:
    """A candidate from anywhere in the space."""
    dice = random.Random(seed)
    return dict(candidate_at(of.genes, [dice.random() for _ in of.genes]))


def test_a_mark_is_a_gene_with_its_range_and_start() -> None:
    found = space(two("{search: [0.25, 1.0], init: 0.5, log: true}", "{search: [0, 1]}"))
    assert found.genes == (
        Gene("models[ja].parameters.weight", "float", 0.5, 0.25, 1.0, log=True),
        Gene("models[uk].parameters.weight", "float", 0.5, 0.0, 1.0),
    )
    assert found.init == {gene.name: 0.5 for gene in found.genes}
    assert found.notes == ()


def test_per_block_there_are_the_labels_of_sd1() -> None:
    found = space(two(BLOCK))
    head = "models[ja].parameters.weight"
    assert names(found) == [f"{head}/{label}" for label in ("BASE", *BLOCKS)]


def test_what_is_taken_whole_has_no_genes() -> None:
    """The text encoder's block is BASE; the VAE is taken whole anyway."""
    found = space(two(BLOCK, more="components: {text_encoder: {take: ja}}"))
    assert [name.rpartition("/")[2] for name in names(found)] == list(BLOCKS)
    per = BLOCK.replace("block", "component")
    assert names(space(two(per))) == [
        f"models[ja].parameters.weight/{name}" for name in ("unet", "text_encoder")
    ]


def test_a_filter_stands_before_the_group() -> None:
    weight = "[{filter: attn, value: MARK}, {filter: in00-in02, value: 0.5}, {value: MARK}]"
    found = space(two(weight.replace("MARK", "{search: [0, 1], per: type}")))
    head = "models[ja].parameters.weight"
    assert names(found) == [
        f"{head}/attn/attn",
        f"{head}/mlp",
        f"{head}/conv",
        f"{head}/norm",
        f"{head}/rest",
    ]


def test_a_plan_has_the_values_that_a_candidate_says() -> None:
    weight = f"[{{filter: attn, value: {BLOCK}}}, {{value: {{search: [0, 1], per: type}}}}]"
    found = space(two(weight, "0.25"))
    candidate = somewhere(found)
    plan = planned(found.fill(candidate))
    blocks = plan.family.block
    head = "models[ja].parameters.weight"
    for key, own in weights(plan).items():
        attn = CLASSES["attn"](key)
        kind = next((one for one in ("mlp", "conv", "norm") if CLASSES[one](key)), "rest")
        name = f"{head}/attn/{blocks(key)}" if attn else f"{head}/{kind}"
        assert own == {"ja": candidate[name], "uk": 0.25}
    assert len(weights(plan)) > 300


MARKS = {
    "numbers": two("{search: [0, 1.5], init: 0.3}", BLOCK),
    "layers": two("{search: [0, 1], per: layer}"),
    "models": read(
        """
        merge_method: ties
        base_model: samples/models/base
        models:
          - {model: samples/models/japanese, name: ja}
          - {model: samples/models/ukiyoe, name: uk}
          - model: samples/loras/pop.safetensors
            parameters: {weight: {search: [0, 1], per: type}}
        parameters:
          density: {search: [0.1, 0.9], per: model}
          weight: [{filter: mid, value: {search: [0, 1], per: model}}, {value: 0.7}]
          normalize: {search: [false, true]}
          vote: {search: [after, count], per: component}
        components: {text_encoder: {take: {search: [base, ja]}}}
        apply: [{model: samples/loras/torii.safetensors, weight: {search: [0, 1]}}]
        """
    ),
    "methods": read(
        """
        merge_method: {search: [dare_linear, dare_ties]}
        base_model: samples/models/base
        models:
          - {model: samples/models/japanese, parameters: {weight: {search: [0, 1], tie: w}}}
          - {model: samples/models/ukiyoe, parameters: {weight: {search: [0, 1], tie: w}}}
        parameters: {density: {search: [0.1, 0.9], per: block}}
        """
    ),
    "stages": read(
        """
        name: first
        merge_method: linear
        models:
          - {model: samples/models/base, parameters: {weight: {search: [0, 1], simplex: mix}}}
          - {model: samples/models/ukiyoe, parameters: {weight: {search: [0, 1], simplex: mix}}}
        ---
        merge_method: slerp
        models: [{model: first}, {model: samples/models/japanese}]
        parameters: {t: {search: [0, 1], per: block, init: 0.25}}
        evolve: {sampler: {steps: {search: [2, 8]}, sampler: {search: [DDIM, Euler]}, width: 64}}
        """
    ),
}


@pytest.mark.parametrize("name", MARKS)
def test_the_start_is_what_a_plain_merge_does(name: str) -> None:
    found = space(MARKS[name])
    plain, filled = planned(found.recipe), planned(found.fill(found.init))
    again = parse_recipe(to_yaml(filled.recipe), "written", found.recipe.folder)
    assert filled.tasks == plain.tasks == planned(again).tasks


@pytest.mark.parametrize("name", MARKS)
def test_a_filled_recipe_has_no_marks_and_reads_back_exactly(name: str) -> None:
    found = space(MARKS[name])
    for seed in range(3):
        candidate = somewhere(found, seed)
        filled = found.fill(candidate)
        text = to_yaml(filled)
        assert "search" not in text
        assert parse_recipe(text) == filled
        back = found.candidate_of(parse_recipe(text))
        assert found.fill(back) == filled
        if name != "stages":
            assert back == candidate


@pytest.mark.parametrize("name", MARKS)
def test_every_gene_changes_the_plan(name: str) -> None:
    found = space(MARKS[name])
    start = found.init
    plan = planned(found.fill(start))
    step = max(1, len(found.genes) // 6)
    for gene in found.genes[::step]:
        if gene.name.startswith("sampler."):
            continue
        other = gene.choices[1] if gene.choices else gene.low
        assert planned(found.fill({**start, gene.name: other})).tasks != plan.tasks, gene.name


def test_names_say_what_the_genes_are() -> None:
    every = names(space(MARKS["models"]))
    assert every[0] == "merge_method" or every[0].startswith("models[pop]")
    for name in (
        "models[pop].parameters.weight/attn",
        "parameters.density/ja",
        "parameters.weight/mid/uk",
        "parameters.normalize",
        "parameters.vote/unet",
        "components.text_encoder.take",
        "apply[torii].weight",
    ):
        assert name in every
    assert "w" in names(space(MARKS["methods"]))
    assert {"merge_method", "parameters.density/IN04"} <= {*names(space(MARKS["methods"]))}
    assert names(space(MARKS["stages"]))[:2] == [
        "first.models[base].parameters.weight",
        "first.models[ukiyoe].parameters.weight",
    ]
    assert names(space(MARKS["stages"]))[-2:] == ["sampler.steps", "sampler.sampler"]


def test_a_lora_has_genes_where_it_changes_something() -> None:
    found = space(MARKS["models"])
    own = [name for name in names(found) if name.startswith("models[pop]")]
    (note,) = [note for note in found.notes if note.startswith("models[pop]")]
    assert "conv" in note
    assert "models[pop].parameters.weight/conv" not in own
    filled = found.fill({**found.init, own[0]: 0.9})
    assert "conv: 0.5" in to_yaml(filled)


def test_sampling_is_what_the_genes_say_of_drawing() -> None:
    found = space(MARKS["stages"])
    candidate = {**found.init, "sampler.steps": 7, "sampler.sampler": "Euler"}
    assert found.sampling(candidate) == {"steps": 7, "sampler": "Euler"}
    assert found.fill(candidate).evolve["sampler"] == {"steps": 7, "sampler": "Euler", "width": 64}
    assert space(two(BLOCK)).sampling(space(two(BLOCK)).init) == {}


def test_a_choice_of_model_is_taken() -> None:
    found = space(two(more="components: {text_encoder: {take: {search: [base, ja, uk]}}}"))
    (gene,) = found.genes
    assert (gene.kind, gene.choices) == ("choice", ("base", "ja", "uk"))
    filled = planned(found.fill({gene.name: "uk"}))
    how = {one.name: one.how for one in filled.report.components}
    assert how["text_encoder"] == "taken from uk"


def test_an_applied_lora_has_its_strength() -> None:
    found = space(MARKS["models"])
    filled = found.fill({**found.init, "apply[torii].weight": 0.125})
    assert filled.stages[-1].apply == (Applied("samples/loras/torii.safetensors", 0.125),)
    strengths = {task.node.weight for task in planned(filled).tasks if isinstance(task.node, Apply)}
    assert strengths == {0.125}


def test_tied_marks_are_one_gene() -> None:
    tied = "{search: [0, 1], per: block, tie: both}"
    found = space(two(tied, tied))
    assert names(found) == [f"both/{label}" for label in ("BASE", *BLOCKS)]
    candidate = somewhere(found)
    plan = planned(found.fill(candidate))
    for key, own in weights(plan).items():
        assert own["ja"] == own["uk"] == candidate[f"both/{plan.family.block(key)}"]


SHARE = "{search: [0, 1], per: block, simplex: mix}"


@settings(max_examples=5)
@given(st.lists(st.floats(0, 1), min_size=2, max_size=2))
def test_shares_sum_to_one_in_every_block(pair: list[float]) -> None:
    found = space(two(SHARE, SHARE))
    ja, uk = (f"models[{name}].parameters.weight/IN04" for name in ("ja", "uk"))
    filled = found.fill({**found.init, ja: pair[0], uk: pair[1]})
    again = found.fill(found.candidate_of(filled))
    assert again == filled
    for own in weights(planned(filled)).values():
        assert float(own["ja"]) + float(own["uk"]) == pytest.approx(1, abs=1e-12)
    numbers = weights(planned(filled))["unet.down_blocks.1.resnets.0.conv1.weight"]
    wanted = pair[0] / sum(pair) if sum(pair) else 0.5
    assert numbers["ja"] == pytest.approx(wanted, abs=1e-9)


def test_a_space_around_a_candidate_is_narrow() -> None:
    found = space(MARKS["stages"])
    candidate = somewhere(found, 3)
    near = found.around(candidate, 0.1)
    assert near.init == candidate
    for wide, gene in zip(found.genes, near.genes, strict=True):
        if gene.kind == "choice":
            assert gene.choices == wide.choices
            continue
        assert wide.low <= gene.low <= float(candidate[gene.name]) <= gene.high <= wide.high
        assert gene.high > gene.low
        if gene.kind == "float":
            assert gene.high - gene.low <= 0.2 * (wide.high - wide.low) + 1e-12
    assert found.around(candidate, 1.0).genes == tuple(
        replace(gene, init=candidate[gene.name]) for gene in found.genes
    )
    with pytest.raises(InputError, match="a trust region of 0"):
        found.around(candidate, 0)


def test_the_languages_own_example_is_a_space(tmp_path: Path) -> None:
    """The mark stands below rules for IN04 to OUT03 and for attention: it has what they leave."""
    base = random_model(tmp_path / "models/base", "sdxl", "diffusers", scale="tiny", seed=1)
    random_model(
        tmp_path / "models/japanese", "sdxl", "diffusers", scale="tiny", seed=2, perturb_of=1
    )
    (tmp_path / "loras").mkdir()
    random_lora(tmp_path / "loras/ukiyoe.safetensors", base, rank=2, alpha=1.0)
    found = space(parse_recipe(EXAMPLE, "r.yaml", tmp_path))
    (mark,) = found.marks
    assert mark.address == "models[ukiyoe].parameters.weight"
    left = [*(f"IN{n:02}" for n in range(4)), *(f"OUT{n:02}" for n in range(4, 9))]
    assert sorted(mark.genes) == left
    assert len(found.genes) + sum(name is None for name in mark.genes.values()) == len(left)
    assert {(gene.low, gene.high, gene.init) for gene in found.genes} == {(0.0, 1.5, 0.5)}
