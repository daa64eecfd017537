"""Settings resolved: curves over depth, the first rule that matches, and rules that do nothing."""

from __future__ import annotations

import dataclasses

import pytest
from hypothesis import given
from hypothesis import strategies as st

from plan.test_filters import family, language_model
from sdmerge.errors import PlanError
from sdmerge.params import Scalar
from sdmerge.plan.anatomy import Anatomy, anatomy
from sdmerge.plan.settings import Taken, resolve
from sdmerge.recipe import Gradient, Grouped, Lbw, Mbw, Preset, Rule, Search, Value

ENCODER = "text_encoder.encoder.layers.{}.mlp.fc1.weight"


def values(*rules: Rule, model: Anatomy | None = None) -> dict[str, Scalar]:
    return dict(resolve("weight", rules, model or family("sd1")).values)


def by_block(value: Value, word: str | None = None, name: str = "sd1") -> dict[str, float]:
    """The value of each block, which is that of all its tensors."""
    model = family(name)
    found: dict[str, set[Scalar]] = {}
    for key, number in values(Rule(value, word), model=model).items():
        found.setdefault(model.block_of[key], set()).add(number)
    assert all(len(numbers) == 1 for numbers in found.values())
    return {block: float(number) for block, (number,) in found.items()}


def refusal(*rules: Rule, model: Anatomy | None = None) -> PlanError:
    with pytest.raises(PlanError) as raised:
        values(*rules, model=model)
    return raised.value


def test_a_number_is_for_all() -> None:
    found = values(Rule(0.5))
    assert list(found) == list(family("sd1").keys)
    assert set(found.values()) == {0.5}


def test_the_first_rule_that_matches_wins() -> None:
    rules = [Rule(0.1, "in00"), Rule(0.2, "attn"), Rule(0.3, "unet"), Rule(0.4)]
    found = values(*rules)
    assert found["unet.conv_in.weight"] == 0.1
    assert found[ENCODER.replace("mlp.fc1", "self_attn.q_proj").format(0)] == 0.2
    assert found["unet.mid_block.resnets.0.conv1.weight"] == 0.3
    assert found["vae.quant_conv.weight"] == found["extra.logit_scale"] == 0.4


def test_each_rule_says_how_many_it_took() -> None:
    resolved = resolve("a.weight", (Rule(0.1, "mid"), Rule(0.2, "unet"), Rule(0.3)), family("sd1"))
    counts = {taken.filter: taken.count for taken in resolved.taken}
    assert {taken.name for taken in resolved.taken} == {"a.weight"}
    assert list(counts) == ["mid", "unet", "*"]
    assert counts["mid"] == 46
    assert sum(counts.values()) == len(family("sd1").keys)


def test_keys_that_no_rule_takes_are_left_to_the_default() -> None:
    found = values(Rule(0.5, "text_encoder"))
    assert all(key.startswith("text_encoder.") for key in found)
    assert resolve("x", (Rule(True, "mid"),), family("sd1")).taken == (Taken("x", "mid", 46),)


@pytest.mark.parametrize("word", ["unett", "in04-out99", "self_attention", "re:^x", "*.conv_in"])
def test_a_filter_that_takes_none(word: str) -> None:
    error = refusal(Rule(0.5, word, "r.yaml:7"), Rule(0.1))
    assert (error.where, error.what) == ("r.yaml:7", f"the filter '{word}' takes no tensor")
    assert "(unet, vae, text_encoder, IN00, …, OUT11)" in error.hint
    assert "a class (attn, self_attn, cross_attn, mlp, conv, norm, bias)" in error.hint


@pytest.mark.parametrize(
    ("above", "below"),
    [("unet", "in04"), ("unet", "unet"), ("text_encoder", "BASE"), ("to_k", "attn2.to_k")],
)
def test_a_filter_that_is_wholly_shadowed(above: str, below: str) -> None:
    error = refusal(Rule(0.5, above), Rule(0.1, below, "r.yaml:9"), Rule(0.1))
    assert error.where == "r.yaml:9"
    assert error.what.startswith(f"the filter '{below}' is shadowed: rules above take all its ")


@pytest.mark.parametrize(
    ("word", "near"), [("unett", "unet"), ("self_atn", "self_attn"), ("IN44", "IN04")]
)
def test_the_nearest_word_is_offered(word: str, near: str) -> None:
    assert refusal(Rule(0.5, word)).hint.startswith(f"Did you mean '{near}'? It may be a component")


def test_a_filter_that_is_shadowed_in_part_is_fine() -> None:
    assert values(Rule(0.5, "in04"), Rule(0.1, "unet"))["unet.conv_in.weight"] == 0.1


def test_a_filter_of_what_is_taken_whole_anyway() -> None:
    model = dataclasses.replace(family("sd1"), whole=frozenset({"vae"}))
    error = refusal(Rule(0.5, "vae", "r.yaml:5"), model=model)
    assert error.where == "r.yaml:5"
    assert "vae" in error.what


def test_a_gradient_runs_over_the_whole_depth() -> None:
    found = by_block(Gradient((0.0, 1.0)))
    model = family("sd1")
    for place, block in enumerate(model.blocks):
        assert found[block] == pytest.approx(place / 24)
    assert found["M00"] == 0.5
    assert found["BASE"] == found["VAE"] == 0.0


def test_a_gradient_bends_at_its_points() -> None:
    found = by_block(Gradient((0.0, 1.0, 0.5)), name="sdxl")
    blocks = family("sdxl").blocks
    assert len(blocks) == 19
    assert [found[blocks[place]] for place in (0, 9, 18)] == [0.0, 1.0, 0.5]
    assert found["IN03"] == pytest.approx(1 / 3)
    assert found["OUT00"] == pytest.approx(1 - 0.5 / 9)


def test_a_gradient_runs_over_its_range() -> None:
    found = by_block(Gradient((0.2, 0.9)), "in04-out03")
    assert len(found) == 13
    assert (found["IN04"], found["OUT03"]) == (0.2, 0.9)
    assert found["IN10"] == pytest.approx(0.55)
    alone = by_block(Gradient((0.2, 0.9)), "in04-in04")
    assert alone == {"IN04": 0.2}


def test_a_gradient_of_one_block_is_its_place_in_the_whole() -> None:
    """A single block is no range: the gradient runs over the whole depth, and passes by here."""
    assert by_block(Gradient((0.0, 1.0)), "m00") == {"M00": 0.5}


def test_a_gradient_of_a_class_runs_over_the_whole_depth() -> None:
    found = values(Rule(Gradient((0.0, 1.0)), "attn"))
    key = "unet.mid_block.attentions.0.transformer_blocks.0.attn1.to_q.weight"
    assert found[key] == 0.5


def test_a_gradient_of_a_component_runs_over_its_own_layers() -> None:
    encoder = values(Rule(Gradient((0.0, 1.0)), "text_encoder"))
    assert [encoder[ENCODER.format(layer)] for layer in (0, 11)] == [0.0, 1.0]
    assert encoder[ENCODER.format(5)] == pytest.approx(5 / 11)
    assert encoder["text_encoder.embeddings.token_embedding.weight"] == 0.0
    assert encoder["text_encoder.final_layer_norm.weight"] == 1.0
    unet = values(Rule(Gradient((0.0, 1.0)), "unet"))
    assert unet["unet.mid_block.resnets.0.conv1.weight"] == 0.5


def test_a_component_without_layers_has_no_gradient() -> None:
    error = refusal(Rule(Gradient((0.0, 1.0)), "vae", "r.yaml:5"))
    assert str(error).startswith("r.yaml:5: vae has no depth that a gradient could follow")


@pytest.mark.parametrize("count", [25, 26])
@pytest.mark.parametrize("word", [None, "attn", "unet"])
def test_a_list_as_long_as_the_blocks_has_two_readings(count: int, word: str | None) -> None:
    error = refusal(Rule(Gradient((0.5,) * count), word, "r.yaml:4"))
    assert error.where == "r.yaml:4"
    assert error.what == f"a list of {count} numbers could be a gradient or one number per block"
    assert "{mbw: …}" in error.hint


@pytest.mark.parametrize(
    ("count", "word"), [(24, None), (27, None), (25, "in00-out11"), (25, "text_encoder")]
)
def test_lists_of_other_lengths_or_over_a_range_have_one(count: int, word: str | None) -> None:
    assert set(values(Rule(Gradient((0.5,) * count), word)).values()) == {0.5}


def test_lists_are_gradients_where_blocks_have_no_names() -> None:
    model = language_model()
    found = values(Rule(Gradient(tuple(n / 10 for n in range(12)))), model=model)
    assert found["model.layers.7.mlp.up_proj.weight"] == pytest.approx(0.7)


def test_what_surrounds_the_layers_of_a_language_model() -> None:
    found = values(Rule(Gradient((0.0, 1.0))), model=language_model())
    assert found["model.embed_tokens.weight"] == 0.0
    assert found["lm_head.weight"] == 1.0


@given(st.lists(st.floats(-4, 4), min_size=2, max_size=6))
def test_gradients_stay_between_their_points(points: list[float]) -> None:
    found = by_block(Gradient(tuple(points)))
    slack = 1e-9
    assert min(points) - slack <= min(found.values())
    assert max(found.values()) <= max(points) + slack
    assert found["IN00"] == points[0]
    assert found["OUT11"] == points[-1]


ROW = tuple(n / 100 for n in range(26))


def test_a_row_gives_each_block_its_number() -> None:
    found = by_block(Mbw(ROW))
    assert found["BASE"] == found["VAE"] == found[""] == ROW[0]
    assert [found[block] for block in family("sd1").blocks] == list(ROW[1:])


def test_a_row_without_base_leaves_the_rest() -> None:
    found = by_block(Mbw(ROW[1:]))
    assert found == dict(zip(family("sd1").blocks, ROW[1:], strict=True))
    after = values(Rule(Mbw(ROW[1:])), Rule(0.5, "text_encoder"))
    assert after["text_encoder.final_layer_norm.weight"] == 0.5


def test_sdxl_takes_rows_of_its_own_and_of_sd1() -> None:
    own = by_block(Mbw(ROW[:20]), name="sdxl")
    assert [own[block] for block in family("sdxl").blocks] == list(ROW[1:20])
    sd1 = by_block(Mbw(ROW), name="sdxl")
    assert [sd1[block] for block in ("BASE", "IN08", "M00", "OUT00", "OUT08")] == [
        ROW[0], ROW[9], ROW[13], ROW[14], ROW[22],
    ]  # fmt: skip


def test_a_row_under_a_filter_serves_what_the_filter_takes() -> None:
    found = values(Rule(Mbw(ROW), "attn"), Rule(1.0))
    key = "unet.mid_block.attentions.0.transformer_blocks.0.attn1.to_q.weight"
    assert (found[key], found["unet.conv_in.weight"]) == (ROW[13], 1.0)


@pytest.mark.parametrize("count", [2, 24, 27])
def test_rows_of_a_wrong_length(count: int) -> None:
    error = refusal(Rule(Mbw((0.5,) * count), where="r.yaml:4"))
    assert error.where == "r.yaml:4"
    assert error.what == f"mbw has {count} numbers; this family takes 26 (BASE, IN00 … OUT11) or 25"


def test_presets_follow_relative_depth() -> None:
    for name in ("sd1", "sdxl"):
        found = by_block(Preset("GRAD_V"), name=name)
        blocks = family(name).blocks
        assert [found[b] for b in (blocks[0], "M00", blocks[-1], "BASE")] == [1.0, 0.0, 1.0, 0.0]
    assert by_block(Preset("ALL_B"))["BASE"] == 1.0


SHORT = {
    "sd1": "BASE IN01 IN02 IN04 IN05 IN07 IN08 M00 "
    "OUT03 OUT04 OUT05 OUT06 OUT07 OUT08 OUT09 OUT10 OUT11",
    "sdxl": "BASE IN04 IN05 IN07 IN08 M00 OUT00 OUT01 OUT02 OUT03 OUT04 OUT05",
}
"""The short rows as the readme of sd-webui-lora-block-weight lists them."""


@pytest.mark.parametrize(("name", "count"), [("sd1", 17), ("sd2", 17), ("sdxl", 12)])
def test_a_short_row_of_lora_block_weights(name: str, count: int) -> None:
    numbers = tuple((n + 1) / 100 for n in range(count))
    labels = SHORT.get(name, SHORT["sd1"]).split()
    found = by_block(Lbw(numbers, 2.0), name=name)
    assert [found[label] for label in labels] == [2 * number for number in numbers]
    others = [block for block in family(name).blocks if block not in labels]
    assert {found[block] for block in others} == {0.0}
    (note,) = resolve("a.weight", (Rule(Lbw(numbers)),), family(name)).notes
    assert note == f"a.weight: the LoRA block weights leave out {', '.join(others)}, which get 0"


@pytest.mark.parametrize(("name", "count"), [("sd1", 26), ("sdxl", 20)])
def test_a_long_row_of_lora_block_weights_is_one_of_mbw(name: str, count: int) -> None:
    assert by_block(Lbw(ROW[:count]), name=name) == by_block(Mbw(ROW[:count]), name=name)
    assert resolve("weight", (Rule(Lbw(ROW[:count])),), family(name)).notes == ()


@pytest.mark.parametrize(
    ("word", "name", "row"),
    [
        ("NONE", "sd1", "0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0"),
        ("ALL", "sd1", "1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1"),
        ("INS", "sd1", "1,1,1,1,0,0,0,0,0,0,0,0,0,0,0,0,0"),
        ("IND", "sd1", "1,0,0,0,1,1,1,0,0,0,0,0,0,0,0,0,0"),
        ("INALL", "sd1", "1,1,1,1,1,1,1,0,0,0,0,0,0,0,0,0,0"),
        ("MIDD", "sd1", "1,0,0,0,1,1,1,1,1,1,1,1,0,0,0,0,0"),
        ("OUTD", "sd1", "1,0,0,0,0,0,0,0,1,1,1,1,0,0,0,0,0"),
        ("OUTS", "sd1", "1,0,0,0,0,0,0,0,0,0,0,0,1,1,1,1,1"),
        ("OUTALL", "sd1", "1,0,0,0,0,0,0,0,1,1,1,1,1,1,1,1,1"),
        ("ALL0.5", "sd1", ",".join(["0.5"] * 17)),
        ("INS", "sdxl", "1,1,1,0,0,0,0,0,0,0,0,0"),
        ("OUTD", "sdxl", "1,0,0,0,0,0,1,1,1,0,0,0"),
    ],
)
def test_names_of_lora_block_weights(word: str, name: str, row: str) -> None:
    numbers = tuple(map(float, row.split(",")))
    assert by_block(Lbw(word), name=name) == by_block(Lbw(numbers), name=name)


@pytest.mark.parametrize(
    ("name", "count", "wanted"),
    [
        ("sd1", 12, "17 (BASE, IN01, IN02, … OUT11) or 26 (BASE, IN00, IN01, … OUT11)"),
        ("sdxl", 17, "12 (BASE, IN04, IN05, … OUT05) or 20 (BASE, IN00, IN01, … OUT08)"),
    ],
)
def test_lora_block_weights_of_another_family(name: str, count: int, wanted: str) -> None:
    error = refusal(Rule(Lbw((0.5,) * count), where="r.yaml:4"), model=family(name))
    assert error.where == "r.yaml:4"
    assert error.what == f"lbw has {count} numbers; this family takes {wanted}"


def test_lora_block_weights_are_for_unets() -> None:
    error = refusal(Rule(Lbw("ALL"), where="r.yaml:4"), model=language_model())
    assert error.what == "LoRA block weights are for UNets of SD 1, 2 and XL"


def test_lora_block_weights_under_a_filter_tell_of_blocks_that_they_took() -> None:
    setting = (Rule(Lbw("OUTALL"), "unet"), Rule(0.5))
    (note,) = resolve("weight", setting, family("sd1")).notes
    assert "leave out IN00, IN03," in note
    assert resolve("weight", (Rule(Lbw("ALL"), "in04-in05"),), family("sd1")).notes == ()


@pytest.mark.parametrize("value", [Gradient((0.0, 1.0)), Preset("GRAD_V"), Mbw((0.0, 1.0))])
def test_a_model_without_layers_follows_no_curve(value: Value) -> None:
    flat = anatomy(["a.weight", "b.weight"], (), (), lambda key: "BASE", labelled=False)
    error = refusal(Rule(value, where="r.yaml:4"), model=flat)
    assert str(error).startswith("r.yaml:4: this model has no numbered layers")


def test_a_search_is_merged_at_its_start() -> None:
    assert set(values(Rule(Search(0.0, 1.0, 0.25, "block"))).values()) == {0.25}


def test_switches_and_words_are_for_whole_blocks_too() -> None:
    found = values(Rule(False, "unet"), Rule(True))
    assert (found["unet.conv_in.weight"], found["vae.quant_conv.weight"]) == (False, True)


def test_values_per_block_leave_the_rest_to_the_next_rule() -> None:
    found = by_block(Grouped("block", {"IN04": 0.25, "M00": 0.75}))
    assert found == {"IN04": 0.25, "M00": 0.75}
    both = values(Rule(Grouped("block", {"BASE": 0.25})), Rule(0.5))
    assert both[ENCODER.format(0)] == 0.25
    assert both["unet.conv_in.weight"] == 0.5


@pytest.mark.parametrize(
    ("per", "label", "said"),
    [
        ("block", "IN4", "Did you mean 'IN04'? There are: BASE, IN00, IN01, IN02, …, extra."),
        ("component", "unte", "Did you mean 'unet'?"),
        ("type", "self_attn", "There are: attn, mlp, conv, norm, rest."),
        ("layer", "unet.conv_inn", "Did you mean 'unet.conv_in'?"),
    ],
)
def test_a_group_that_is_not_there_is_named(per: str, label: str, said: str) -> None:
    error = refusal(Rule(Grouped(per, {label: 0.5}), where="r.yaml:4"))
    assert str(error).startswith(f"r.yaml:4: there is no {per} '{label}' here")
    assert said in str(error)


def test_searches_remember_the_tensors_they_took() -> None:
    rules = (Rule(Search(0.0, 1.0, 0.25), "in00"), Rule(0.5, "unet"), Rule(Search(0.0, 2.0, 1.0)))
    marks = resolve("weight", rules, family("sd1")).marks
    assert marks["unet.conv_in.weight"] is rules[0]
    assert marks["extra.logit_scale"] is rules[2]
    assert "unet.conv_out.weight" not in marks
