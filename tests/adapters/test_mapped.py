"""MappedSource: any slice of a canonical tensor is the slice of the whole, however it is stored."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from tiny import load, model

from sdmerge.adapters import MappedSource, open_model

PATH = model("sdxl", 1, components=("text_encoder", "text_encoder_2"))
FUSED = "text_encoder_2.encoder.layers.0.self_attn.k_proj.weight"
TURNED = "text_encoder_2.text_projection.weight"
PLAIN = "text_encoder_2.final_layer_norm.weight"


@pytest.fixture(scope="module")
def source() -> MappedSource:
    opened = open_model(PATH)
    assert isinstance(opened, MappedSource)
    return opened


@pytest.mark.parametrize("key", [FUSED, TURNED, PLAIN])
@given(data=st.data())
def test_slices(source: MappedSource, key: str, data: st.DataObject) -> None:
    numel = source.specs[key].numel
    start = data.draw(st.integers(0, numel))
    stop = data.draw(st.integers(start, numel))
    part = source.read(key, start, stop)
    assert part.shape == (stop - start,)
    assert torch.equal(part, source.read(key)[start:stop])


def test_parts_of_fused_tensors_and_turned_ones(source: MappedSource) -> None:
    file = load(PATH)
    head = "conditioner.embedders.1.model."
    _, key, _ = file[f"{head}transformer.resblocks.0.attn.in_proj_weight"].chunk(3)
    assert torch.equal(source.read(FUSED), key.reshape(-1))
    turned = file[f"{head}text_projection"].T.contiguous()
    assert torch.equal(source.read(TURNED), turned.reshape(-1))
    assert source.specs[TURNED].shape == tuple(turned.shape)


def test_what_is_read_is_ones_own(source: MappedSource) -> None:
    first = source.read(PLAIN)
    first.zero_()
    assert source.read(PLAIN).abs().sum() > 0
