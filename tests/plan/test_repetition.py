"""Layers run through several times: copies at their places, whose gains the next stage sets."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
import yaml
from tiny import cli, merged, model, planned

from sdmerge.errors import PlanError, RecipeError
from sdmerge.recipe import parse_recipe, to_yaml
from sdmerge.testing import random_lora

from .test_removal import LAST, MIDDLE, UP, depths, forward, unet

COPIES = rf"re:{UP}\.transformer_blocks\.\d*[13579]\.".replace("up_blocks.0", r"up_blocks\.0")


def deepened(repeat: dict[str, int], **more: Any) -> dict[str, Any]:
    models = [{"model": str(unet())}]
    return {"merge_method": "linear", "models": models, "repeat": repeat, **more}


def gained(gain: float, **output: Any) -> list[dict[str, Any]]:
    """The layers of one stack twice, the copies' branches at a gain."""
    rules = [{"filter": COPIES, "value": gain}]
    second = {
        "merge_method": "branch_gain",
        "models": [{"model": "deep"}],
        "parameters": dict.fromkeys(("attn1", "attn2", "ff"), rules),
        "output": output,
    }
    return [deepened({UP: 2}, name="deep"), second]


def plain() -> Any:
    from diffusers import UNet2DConditionModel

    return UNet2DConditionModel.from_pretrained(unet() / "unet")


def saved(recipe: Any, to: Path) -> Any:
    """The UNet that diffusers loads from what the command line wrote."""
    from diffusers import UNet2DConditionModel

    text = to.with_suffix(".yaml")
    text.write_text(yaml.safe_dump_all(recipe if isinstance(recipe, list) else [recipe]), "utf-8")
    assert (done := cli("merge", text, "-o", to)).code == 0, done.err
    return UNet2DConditionModel.from_pretrained(to / "unet")


def test_a_network_runs_through_its_layers_again(tmp_path: Path) -> None:
    """As if the layers' own modules stood in the list twice."""
    own = plain()
    twice = [layer for layer in own.get_submodule(UP).transformer_blocks for _ in range(2)]
    own.get_submodule(UP).transformer_blocks = torch.nn.ModuleList(twice)
    deep = saved(deepened({UP: 2}), tmp_path / "deep")
    assert depths(deep) == {**depths(plain()), UP: 20}
    assert float((forward(deep) - forward(own)).abs().max()) < 1e-6
    assert float((forward(deep) - forward(plain())).abs().max()) > 1e-4


def test_copies_without_gain_change_nothing(tmp_path: Path) -> None:
    deep = saved(gained(0.0), tmp_path / "deep")
    assert depths(deep)[UP] == 20
    assert float((forward(deep) - forward(plain())).abs().max()) < 1e-6


def test_idle_copies_are_left_out_again() -> None:
    back = merged(gained(0.0, remove_below=0.05))
    once = merged({"merge_method": "linear", "models": [{"model": str(unet())}]})
    assert back.keys() == once.keys()
    assert all(torch.equal(back[key], once[key]) for key in once)


def test_a_copy_is_merged_as_its_layer_is() -> None:
    """Chance, too, falls on both alike."""
    twice = {
        "merge_method": "dare_linear",
        "base_model": str(unet()),
        "models": [{"model": str(model("sdxl", 2, "diffusers", components=("unet",)))}],
        "parameters": {"density": 0.5},
    }
    deep, flat = merged({**twice, "repeat": {f"{UP}.transformer_blocks.3.": 3}}), merged(twice)
    stack, end = f"unet.{UP}.transformer_blocks", "attn2.to_k.weight"
    for new, old in ((2, 2), (3, 3), (4, 3), (5, 3), (6, 4), (11, 9)):
        assert torch.equal(deep[f"{stack}.{new}.{end}"], flat[f"{stack}.{old}.{end}"])


def test_what_cannot_be_is_refused(tmp_path: Path) -> None:
    with pytest.raises(PlanError, match="differ in depth"):
        planned(deepened({LAST: 2}))
    assert len(planned(deepened({LAST: 2, MIDDLE: 2})).tasks) > len(planned(deepened({})).tasks)
    with pytest.raises(PlanError, match="takes no layer"):
        planned(deepened({"time_embedding": 2}))
    with pytest.raises(PlanError, match="a LoRA cannot repeat"):
        planned(deepened({UP: 2}, base_model=str(unet()), output={"layout": "lora", "rank": 4}))
    lora = random_lora(tmp_path / "x.safetensors", unet(), components=("unet",))
    models = [{"model": str(lora)}]
    later = {"merge_method": "task_arithmetic", "base_model": "deep", "models": models}
    with pytest.raises(PlanError, match="other numbers"):
        planned([deepened({UP: 2}, name="deep"), later])


def test_the_recipe_language() -> None:
    text = "merge_method: linear\nmodels: [{model: a}]\nrepeat: "
    read = parse_recipe(f"{text}{{mid: 2, in07-in08: 3}}")
    assert read.stages[0].repeat == {"mid": 2, "in07-in08": 3}
    assert parse_recipe(to_yaml(read)) == read
    with pytest.raises(RecipeError, match="cannot be run through 9 times"):
        parse_recipe(f"{text}{{mid: 9}}")
    with pytest.raises(RecipeError, match="whole number"):
        parse_recipe(f"{text}{{mid: 1.5}}")
