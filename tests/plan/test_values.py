"""Block weights, presets and gradients as they reach the tensors of real layouts."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from tiny import Data, canonical, merged, model, planned, unet, words

from sdmerge.plan import Combine

# a tensor of every block of SD1, by diffusers' names
UNET: Mapping[str, str] = {
    "IN00": "unet.conv_in.weight",
    **{
        f"IN{3 * level + layer + 1:02}": f"unet.down_blocks.{level}.resnets.{layer}.conv1.weight"
        for level in range(4)
        for layer in range(2)
    },
    **{
        f"IN{3 * level + 3:02}": f"unet.down_blocks.{level}.downsamplers.0.conv.weight"
        for level in range(3)
    },
    "M00": "unet.mid_block.attentions.0.proj_in.weight",
    **{
        f"OUT{3 * level + layer:02}": f"unet.up_blocks.{level}.resnets.{layer}.conv1.weight"
        for level in range(4)
        for layer in range(3)
    },
}


def weights(value: Any, *models: Path) -> dict[str, float]:
    """The weight that each tensor gets from `value`."""
    first, second = models or (unet(1), unet(2))
    data: Data = {"merge_method": "linear", "models": [{"model": str(first), "name": "a"},
            {"model": str(second), "name": "b", "parameters": {"weight": value}}]}  # fmt: skip
    found: dict[str, float] = {}
    for task in planned(data).tasks:
        if not isinstance(task.node, Combine):
            continue  # the VAE
        pair = dict(task.node.values)["weight"]
        assert isinstance(pair, tuple)
        assert pair[0] == 1.0
        found[task.key] = pair[1]
    return found


def by_block(value: Any) -> dict[str, float]:
    found = weights(value)
    return {block: found[key] for block, key in UNET.items()}


LABELS = [*(f"IN{n:02}" for n in range(12)), "M00", *(f"OUT{n:02}" for n in range(12))]
TEXT = "text_encoder.final_layer_norm.weight"


def test_every_block_has_its_number() -> None:
    assert sorted(UNET) == sorted(LABELS)
    row = [round(0.01 * n, 2) for n in range(26)]
    found = weights({"mbw": row}, model("sd1", 1), model("sd1", 2))
    assert {block: found[key] for block, key in UNET.items()} == dict(
        zip(LABELS, row[1:], strict=True)
    )
    assert found[TEXT] == row[0]
    # as the first block-weight tools had it: before the blocks and after them is in the outermost
    assert found["unet.time_embedding.linear_1.weight"] == row[1]
    assert found["unet.conv_out.weight"] == row[-1]
    assert by_block({"mbw": ",".join(map(str, row))}) == by_block({"mbw": row})


def test_a_row_without_base() -> None:
    found = weights({"mbw": [0.5] * 25}, model("sd1", 1), model("sd1", 2))
    assert found.pop(TEXT) == 1.0  # the parameter's default
    assert {value for key, value in found.items() if key.startswith("unet.")} == {0.5}


def test_rows_of_sdxl_in_either_length() -> None:
    two = [model("sdxl", seed, components=("unet",)) for seed in (1, 2)]
    long = [round(0.01 * n, 2) for n in range(26)]  # BASE, IN00…IN11, M00, OUT00…OUT11
    found = weights({"mbw": long}, *two)
    assert found["unet.down_blocks.2.resnets.1.conv1.weight"] == 0.09  # IN08
    assert found["unet.mid_block.resnets.0.conv1.weight"] == 0.13
    assert found["unet.up_blocks.0.resnets.0.conv1.weight"] == 0.14
    assert found["unet.up_blocks.2.resnets.2.conv1.weight"] == 0.22  # OUT08
    short = [*long[:10], long[13], *long[14:23]]
    assert weights({"mbw": short}, *two) == found


def test_the_result_has_the_rows_numbers_in_it() -> None:
    row = [round(0.04 * n, 2) for n in range(26)]
    data: Data = {
        "merge_method": "task_arithmetic",
        "base_model": str(unet(0)),
        "models": [{"model": str(unet(1)), "parameters": {"weight": {"mbw": row}}}],
        "dtype": "float32",
    }
    base, tuned, result = canonical(unet(0)), canonical(unet(1)), merged(data)
    for block, value in zip(LABELS, row[1:], strict=True):
        key = UNET[block]
        delta = tuned[key].float() - base[key].float()
        share = float(((result[key].reshape(-1) - base[key].float()) @ delta) / (delta @ delta))
        assert share == pytest.approx(value, abs=1e-3), block


def test_presets_are_curves_over_depth() -> None:
    valley = by_block({"preset": "GRAD_V"})
    assert (valley["IN00"], valley["M00"], valley["OUT11"]) == (1.0, 0.0, 1.0)
    assert valley["IN06"] == pytest.approx(0.5)
    assert by_block({"preset": "ALL_B"}) == dict.fromkeys(UNET, 1.0)
    assert by_block({"preset": "grad_a"})["M00"] == 1.0


def test_gradients_over_a_range_and_over_the_whole() -> None:
    rules = [{"filter": "in04-out03", "value": [0.2, 0.9]}, {"value": 0.0}]
    found = by_block(rules)
    assert found["IN03"] == found["OUT04"] == 0.0
    assert found["IN04"] == pytest.approx(0.2)
    assert found["OUT03"] == pytest.approx(0.9)
    assert found["M00"] == pytest.approx(0.2 + 0.7 * 8 / 12)
    found = by_block([0, 1, 0])
    assert (found["IN00"], found["M00"], found["OUT11"]) == (0.0, 1.0, 0.0)
    assert found["IN03"] == pytest.approx(0.25)


def test_the_first_rule_that_matches_wins() -> None:
    rules = [
        {"filter": "in04", "value": 0.1},
        {"filter": "conv", "value": 0.2},
        {"filter": "*proj_in*", "value": 0.3},
        {"filter": "re:mid.*resnets", "value": 0.4},
        {"value": 0.5},
    ]
    found = weights(rules)
    assert found["unet.down_blocks.1.resnets.0.conv1.weight"] == 0.1
    assert found["unet.down_blocks.1.resnets.1.conv1.weight"] == 0.2
    assert found["unet.mid_block.attentions.0.proj_in.weight"] == 0.3
    assert found["unet.mid_block.resnets.0.norm1.weight"] == 0.4
    assert found["unet.time_embedding.linear_1.weight"] == 0.5


def test_a_search_is_merged_at_its_start() -> None:
    assert set(by_block({"search": [0, 1], "init": 0.7, "per": "block"}).values()) == {0.7}


def test_a_gradient_of_whole_layers_in_a_text_encoder() -> None:
    found = weights([{"filter": "text_encoder", "value": [0, 1]}], words(1), words(2))
    assert found["text_encoder.embeddings.token_embedding.weight"] == 0.0
    assert found["text_encoder.encoder.layers.0.mlp.fc1.weight"] == 0.0
    assert found["text_encoder.encoder.layers.1.mlp.fc1.weight"] == 1.0
    assert found["text_encoder.final_layer_norm.weight"] == 1.0


def test_values_are_checked_again_for_the_method_of_a_component() -> None:
    data = {
        "merge_method": "linear",
        "models": [{"model": str(words(1))}, {"model": str(words(2))}],
        "components": {"text_encoder": {"merge_method": "slerp", "parameters": {"t": 0.3}}},
    }
    node = planned(data).tasks[0].node
    assert isinstance(node, Combine)
    assert dict(node.values) == {"t": 0.3, "norm": "lerp"}
