"""Models of no known family: depth is read off their largest numbered stack."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from tiny import save

from sdmerge.adapters import MappedSource, open_model
from sdmerge.errors import FileError


def opened(path: Path, *names: str) -> MappedSource:
    source = open_model(save(path, {name: torch.ones(2) for name in names}))
    assert isinstance(source, MappedSource)
    return source


def test_blocks_are_the_layers_of_the_largest_stack(tmp_path: Path) -> None:
    names = [f"model.layers.{n}.{part}.weight" for n in range(12) for part in ("attn", "mlp")]
    small = [f"vision.blocks.{n}.weight" for n in range(5)]
    family = opened(tmp_path / "x.safetensors", *names, *small, "lm_head.weight").family
    assert family.blocks == tuple(f"L{n:02d}" for n in range(12))
    assert family.block("model.layers.0.attn.weight") == "L00"
    assert family.block("model.layers.11.mlp.weight") == "L11"
    assert family.block("vision.blocks.3.weight") == "BASE"
    assert family.block("lm_head.weight") == "BASE"


def test_a_stack_within_a_stack_counts_by_its_outer_number(tmp_path: Path) -> None:
    names = [f"layers.{n}.experts.{e}.w" for n in range(2) for e in range(8)]
    family = opened(tmp_path / "x.safetensors", *names).family
    assert family.blocks == ("L00", "L01")
    assert family.block("layers.1.experts.7.w") == "L01"


def test_a_model_without_layers_has_no_depth(tmp_path: Path) -> None:
    source = opened(tmp_path / "x.safetensors", "a", "b.c")
    assert source.family.blocks == ()
    assert source.family.components == ()
    assert source.family.block("a") == "BASE"


def test_whole_numbers_alone_are_no_model(tmp_path: Path) -> None:
    path = save(tmp_path / "x.safetensors", {"ids": torch.arange(3)})
    with pytest.raises(FileError, match="holds no weights"):
        open_model(path)
