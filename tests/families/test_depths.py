"""Depths in diffusers' words: a network built from them has the layers they were read from."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from sdmerge.errors import FamilyError
from sdmerge.families import FAMILIES
from sdmerge.families.depths import with_depths

DOWN = "transformer_layers_per_block"
UP = "reverse_transformer_layers_per_block"


def keys(family: str, **changes: Any) -> tuple[dict[str, Any], list[str]]:
    from diffusers import UNet2DConditionModel

    main = FAMILIES.get(family).main
    config = {**main.config_at(main.tiny), **changes}
    with torch.device("meta"):
        network = UNet2DConditionModel.from_config(config)
    return config, [f"unet.{key}" for key in network.state_dict()]


@pytest.mark.parametrize(
    ("family", "depths"),
    [
        ("sdxl", {DOWN: [1, [2, 1], [3, 2]], UP: [[2, 3, 1], [1, 2, 2], 1]}),
        ("sdxl", {DOWN: [1, 2, 3], UP: [2, [1, 1, 2], 1]}),
        ("sd1", {DOWN: [1, [2, 1], 1, 3], UP: [1, 1, [1, 2, 1], 1]}),
        ("sd1", {DOWN: 2}),
    ],
    ids=str,
)
def test_the_config_builds_the_network_again(family: str, depths: dict[str, Any]) -> None:
    _, wanted = keys(family, **depths)
    plain, _ = keys(family)
    found = with_depths(plain, wanted)
    assert keys(family, **found)[1] == wanted
    assert with_depths(found, wanted) == found


@pytest.mark.parametrize("family", ["sd1", "sdxl"])
def test_a_config_that_is_right_stays(family: str) -> None:
    config, own = keys(family)
    assert with_depths(config, own) == config
    assert with_depths({"hidden_size": 8}, own) == {"hidden_size": 8}


def test_a_middle_of_its_own_depth_cannot_be_said() -> None:
    config, own = keys("sdxl", **{DOWN: [1, 2, 3]})
    cut = [key for key in own if "mid_block.attentions.0.transformer_blocks.2." not in key]
    with pytest.raises(FamilyError, match="the middle has 2 layers, the level above 3"):
        with_depths(config, cut)
