from __future__ import annotations

from collections import Counter

import pytest

from sdmerge.families import FAMILIES

from .headers import canonical

# what each block of Stable Diffusion holds, from its own input_blocks and output_blocks
LABELS = {
    "sd1": {
        "unet.conv_in.weight": "IN00",
        "unet.time_embedding.linear_1.weight": "IN00",
        "unet.down_blocks.0.resnets.0.conv1.weight": "IN01",
        "unet.down_blocks.0.attentions.1.proj_in.weight": "IN02",
        "unet.down_blocks.0.downsamplers.0.conv.weight": "IN03",
        "unet.down_blocks.2.attentions.1.proj_in.weight": "IN08",
        "unet.down_blocks.2.downsamplers.0.conv.bias": "IN09",
        "unet.down_blocks.3.resnets.1.conv2.weight": "IN11",
        "unet.mid_block.attentions.0.norm.weight": "M00",
        "unet.up_blocks.0.resnets.0.conv1.weight": "OUT00",
        "unet.up_blocks.0.upsamplers.0.conv.weight": "OUT02",
        "unet.up_blocks.1.attentions.0.proj_out.weight": "OUT03",
        "unet.up_blocks.2.upsamplers.0.conv.weight": "OUT08",
        "unet.up_blocks.3.attentions.2.norm.weight": "OUT11",
        "unet.conv_norm_out.weight": "OUT11",
        "unet.conv_out.bias": "OUT11",
        "text_encoder.encoder.layers.0.mlp.fc1.weight": "BASE",
        "vae.decoder.up_blocks.0.resnets.0.conv1.weight": "VAE",
        "extra.v_pred": "",
    },
    "sdxl": {
        "unet.add_embedding.linear_2.bias": "IN00",
        "unet.down_blocks.1.attentions.1.transformer_blocks.1.ff.net.2.bias": "IN05",
        "unet.down_blocks.2.resnets.1.conv2.weight": "IN08",
        "unet.up_blocks.0.attentions.0.transformer_blocks.9.norm1.weight": "OUT00",
        "unet.up_blocks.2.resnets.2.conv_shortcut.weight": "OUT08",
        "unet.conv_out.weight": "OUT08",
        "text_encoder_2.text_projection.weight": "BASE",
    },
}


@pytest.mark.parametrize("name", LABELS)
def test_labels_are_those_of_the_first_release(name: str) -> None:
    family = FAMILIES.get(name)
    assert {key: family.block(key) for key in LABELS[name]} == LABELS[name]


@pytest.mark.parametrize(
    ("name", "levels"), [("sd1", 4), ("sd2", 4), ("sdxl", 3), ("sdxl-refiner", 4)]
)
def test_every_block_has_tensors_and_every_tensor_a_block(name: str, levels: int) -> None:
    family = FAMILIES.get(name)
    count = 3 * levels
    assert family.blocks[0] == "IN00"
    assert family.blocks[count : count + 2] == ("M00", "OUT00")
    assert len(family.blocks) == 2 * count + 1
    held = Counter(family.block(key) for key in canonical(family))
    assert set(held) == {*family.blocks, "BASE", "VAE"}
