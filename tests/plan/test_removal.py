"""Layers that hardly add anything are left out, and the network is the same without them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from tiny import cli, merged, model, planned
from torch import Tensor

from sdmerge.errors import RecipeError
from sdmerge.recipe import parse_recipe, to_yaml

UP, DOWN = "up_blocks.0.attentions.1", "down_blocks.2.attentions.1"
LAST, MIDDLE = "down_blocks.2.attentions.0", "mid_block.attentions.0"


def unet() -> Path:
    return model("sdxl", 1, "diffusers", components=("unet",), dtype="float32")


def recipe(layers: dict[str, list[int]], below: float = 0.05, value: float = 0.0) -> dict[str, Any]:
    """Every branch of the layers at `value`, and those below `below` left out."""
    rules = [
        {"filter": f"{stack}.transformer_blocks.{place}.", "value": value}
        for stack, places in layers.items()
        for place in places
    ]
    return {
        "merge_method": "branch_gain",
        "models": [{"model": str(unet())}],
        "parameters": dict.fromkeys(("attn1", "attn2", "ff"), rules),
        "output": {"remove_below": below},
    }


def saved(data: dict[str, Any], to: Path) -> Any:
    """The UNet that diffusers loads from what the command line wrote."""
    from diffusers import UNet2DConditionModel

    text = to.with_suffix(".yaml")
    text.write_text(json.dumps(data), "utf-8")
    assert (done := cli("merge", text, "-o", to)).code == 0, done.err
    return UNet2DConditionModel.from_pretrained(to / "unet")


def forward(net: Any) -> Tensor:
    draw = torch.Generator().manual_seed(5)
    width = net.config.projection_class_embeddings_input_dim - 6 * 256
    added = {"text_embeds": torch.randn((1, width), generator=draw), "time_ids": torch.ones((1, 6))}
    words = torch.randn((1, 7, net.config.cross_attention_dim), generator=draw)
    noise = torch.randn((1, 4, 16, 16), generator=draw)
    with torch.no_grad():
        return net(noise, 500, words, added_cond_kwargs=added).sample


def depths(net: Any) -> dict[str, int]:
    stacks = {
        name: part for name, part in net.named_modules() if name.endswith(".transformer_blocks")
    }
    return {name.removesuffix(".transformer_blocks"): len(part) for name, part in stacks.items()}


def test_the_network_is_the_same_with_fewer_layers(tmp_path: Path) -> None:
    layers = {UP: [0, 4, 9], "down_blocks.1.attentions.1": [0], LAST: [1], MIDDLE: [7]}
    whole = saved(recipe(layers, below=0.0), tmp_path / "whole")
    fewer = saved(recipe(layers), tmp_path / "fewer")
    before = depths(whole)
    wanted = {name: count - len(layers.get(name, [])) for name, count in before.items()}
    assert depths(fewer) == wanted
    assert float((forward(fewer) - forward(whole)).abs().max()) < 1e-6
    again = {"merge_method": "linear", "models": [{"model": str(tmp_path / "fewer")}] * 2}
    assert depths(saved(again, tmp_path / "again")) == wanted


def test_what_no_config_can_say_stays(tmp_path: Path) -> None:
    """One number says how deep the middle and the last level are: both lose as many layers."""
    fewer = depths(saved(recipe({LAST: [2, 5, 6], MIDDLE: [1]}), tmp_path / "fewer"))
    assert (fewer[LAST], fewer[MIDDLE], fewer[DOWN]) == (9, 9, 10)


def test_one_layer_of_a_stack_stays(tmp_path: Path) -> None:
    fewer = saved(recipe({"down_blocks.1.attentions.0": [0, 1]}), tmp_path / "fewer")
    assert depths(fewer)["down_blocks.1.attentions.0"] == 1


def test_what_still_adds_something_stays() -> None:
    keys = {task.key for task in planned(recipe({UP: [3]}, below=0.05, value=0.06)).tasks}
    assert keys == set(merged({**recipe({UP: [3]}), "output": {}}))
    gone = planned(recipe({UP: [3]}, below=0.07, value=0.06))
    assert len(gone.tasks) == len(keys) - 20
    assert any("1 of 70 layers are left out" in note for note in gone.report.notes)


def test_layers_move_up_with_their_numbers() -> None:
    whole = merged({**recipe({UP: [3]}), "output": {}})
    fewer = merged(recipe({UP: [3]}))
    stack = f"unet.{UP}.transformer_blocks"
    for old, new in ((2, 2), (4, 3), (9, 8)):
        end = "attn2.to_k.weight"
        assert torch.equal(fewer[f"{stack}.{new}.{end}"], whole[f"{stack}.{old}.{end}"])


def test_a_layer_is_known_by_its_content() -> None:
    whole = planned({**recipe({UP: [3]}), "output": {}})
    fewer = planned(recipe({UP: [3]}))
    stack, end = f"unet.{UP}.transformer_blocks", "attn2.to_k.weight"
    assert fewer.keys[f"{stack}.5.{end}"] == whole.keys[f"{stack}.6.{end}"]


def test_the_recipe_language() -> None:
    text = "merge_method: branch_gain\nmodels: [{model: a}]\noutput: "
    read = parse_recipe(f"{text}{{remove_below: 0.05}}")
    assert read.output.remove_below == 0.05
    assert parse_recipe(to_yaml(read)) == read
    with pytest.raises(RecipeError, match="a LoRA has no layers"):
        parse_recipe(f"{text}{{layout: lora, rank: 4, remove_below: 0.05}}")
    with pytest.raises(RecipeError, match=r"outside 0\.\.1"):
        parse_recipe(f"{text}{{remove_below: 2}}")
