"""Resizing: ranks by each rule, counted independently; errors as they are; sizes that hold."""

from __future__ import annotations

import json
import math
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file
from torch import Tensor

from sdmerge.adapters import LoraFile, open_model
from sdmerge.adapters.lora.rewriting import rewritten
from sdmerge.adapters.lora.saving import write_lora
from sdmerge.errors import InputError
from sdmerge.lora.ranks import Wanted, ranks_by_size
from sdmerge.lora.resize import Resized, metadata_of, resize
from tests.adapters.lora_files import write
from tests.tiny import SAMPLES, load, metadata

LORAS = SAMPLES.parent / "loras"
NAMES = ("lora_unet_conv_in", "lora_unet_mid_block_resnets_0_conv1")


def opened(path: Path) -> LoraFile:
    lora = open_model(path)
    assert isinstance(lora, LoraFile)
    return lora


def resized(path: Path, to: Path, **rule: float) -> Resized:
    lora = opened(path)
    made = resize(lora, Wanted(**rule))
    said = metadata_of(lora, made.cuts, made.error)
    lora.close()
    write_lora(to, rewritten(lora, made.modules), said)
    return made


def with_values(folder: Path, *values: tuple[float, ...]) -> Path:
    """A LoRA whose modules have these singular values, one tuple each, at a scale of 0.5."""
    tensors: dict[str, Tensor] = {}
    for name, sigma in zip(NAMES, values, strict=False):
        rank = len(sigma)
        left, right = (torch.linalg.qr(torch.randn(size, rank).double())[0] for size in (20, 36))
        tensors[f"{name}.lora_up.weight"] = (
            (left * torch.tensor(sigma)).float().view(20, rank, 1, 1)
        )
        tensors[f"{name}.lora_down.weight"] = (2 * right.T).float().reshape(rank, 4, 3, 3)
        tensors[f"{name}.alpha"] = torch.tensor(rank / 2)
    return write(folder / "x.safetensors", tensors, {"ss_network_dim": "4", "ss_base": "x"})


def delta(tensors: dict[str, Tensor], name: str) -> Tensor:
    up, down = (tensors[f"{name}.lora_{end}.weight"].double().flatten(1) for end in ("up", "down"))
    return float(tensors[f"{name}.alpha"]) / len(down) * up @ down


SIGMA = (4.0, 2.0, 2.0, 1.0, 0.5)  # squares: 16, 4, 4, 1, 0.25 of 25.25


@pytest.mark.parametrize(
    ("rule", "rank"),
    [
        ({"rank": 2}, 2),
        ({"rank": 9}, 5),
        ({"ratio": 2.001}, 3),  # 4, 2, 2 are at least 4 / 2.001: three, not four
        ({"ratio": 1.0}, 1),
        ({"ratio": 8.001}, 5),
        ({"energy": 0.63}, 1),
        ({"energy": 0.9}, 3),
        ({"energy": 1.0}, 5),
        ({"error": math.sqrt(1.26 / 25.25)}, 3),
        ({"error": 0.2}, 4),
    ],
)
def test_each_rule_keeps_as_many_as_it_says(
    rule: dict[str, float], rank: int, tmp_path: Path
) -> None:
    path = with_values(tmp_path, SIGMA)
    made = resized(path, tmp_path / "o.safetensors", **rule)
    (cut,) = made.cuts
    assert (cut.before, cut.after) == (5, rank)
    whole = delta(load_file(path), NAMES[0])
    left = delta(load_file(tmp_path / "o.safetensors"), NAMES[0])
    error = float((whole - left).norm() / whole.norm())
    wanted = math.sqrt(sum(one**2 for one in SIGMA[rank:]) / 25.25)
    assert cut.norm == pytest.approx(math.sqrt(25.25), rel=1e-6)
    assert error == pytest.approx(wanted, abs=1e-6)
    assert cut.error == pytest.approx(error, abs=1e-7)


def test_a_module_that_keeps_its_rank_keeps_its_bytes(tmp_path: Path) -> None:
    path = with_values(tmp_path, SIGMA, (3.0, 2.0))
    resized(path, tmp_path / "o.safetensors", rank=3)
    before, after = load_file(path), load_file(tmp_path / "o.safetensors")
    kept = [name for name in before if name.startswith(NAMES[1])]
    assert len(kept) == 3
    assert all(torch.equal(before[name], after[name]) for name in kept)
    assert float(after[f"{NAMES[0]}.alpha"]) == 3


def test_the_file_says_what_was_lost(tmp_path: Path) -> None:
    path = with_values(tmp_path, SIGMA, (3.0, 2.0))
    made = resized(path, tmp_path / "o.safetensors", rank=1)
    said = metadata(tmp_path / "o.safetensors")
    record = json.loads(said["sdmerge.resize"])
    assert record["modules"][NAMES[0]][:2] == [5, 1]
    assert float(record["error"]) == pytest.approx(made.error, rel=1e-3)
    before, after = load_file(path), load_file(tmp_path / "o.safetensors")
    lost = sum(float((delta(before, n) - delta(after, n)).square().sum()) for n in NAMES)
    whole = sum(float(delta(before, n).square().sum()) for n in NAMES)
    assert made.error == pytest.approx(math.sqrt(lost / whole), rel=1e-5)
    assert said["ss_network_dim"] == "1"
    assert said["ss_base"] == "x"
    dynamic = tmp_path / "d.safetensors"
    resized(path, dynamic, error=0.3)
    assert metadata(dynamic)["ss_network_dim"] == "Dynamic"


@pytest.mark.parametrize("size", [100_000, 150_000])
def test_a_file_is_as_large_as_it_may_be(size: int, tmp_path: Path) -> None:
    path = tmp_path / "o.safetensors"
    made = resized(LORAS / "torii.safetensors", path, size=size)
    assert 0.95 * size < path.stat().st_size <= size
    # a file of one rank for all that is as large says less
    rank = min(cut.after for cut in made.cuts)
    same = tmp_path / "s.safetensors"
    even = resized(LORAS / "torii.safetensors", same, rank=rank)
    assert same.stat().st_size <= size
    assert made.error < even.error


def test_bytes_go_where_they_say_most() -> None:
    values = {"a": torch.tensor([5.0, 4.0, 1.0]), "b": torch.tensor([3.0, 2.0])}
    costs = {"a": 10, "b": 2}
    # beyond rank 1: b's 4 / 2, a's 16 / 10, a's 1 / 10
    assert ranks_by_size(values, costs, 12) == {"a": 1, "b": 1}
    assert ranks_by_size(values, costs, 14) == {"a": 1, "b": 2}
    assert ranks_by_size(values, costs, 23) == {"a": 1, "b": 2}
    assert ranks_by_size(values, costs, 24) == {"a": 2, "b": 2}
    assert ranks_by_size(values, costs, 1000) == {"a": 3, "b": 2}


@pytest.mark.parametrize("form", ["diffusers", "peft"])
def test_settings_follow_the_ranks(form: str, tmp_path: Path) -> None:
    """Where the scale stands apart from the tensors, it is still right afterwards."""
    from sdmerge.lora.anatomy import anatomy
    from sdmerge.lora.convert import convert

    lora = opened(LORAS / "torii.safetensors")
    source = tmp_path / ("p" if form == "peft" else "d.safetensors")
    write_lora(source, convert(lora, form).encoded, lora.metadata)  # pyright: ignore
    target = tmp_path / ("po" if form == "peft" else "do.safetensors")
    made = resized(source, target, error=0.2)
    assert len({cut.after for cut in made.cuts}) > 2
    before, after = anatomy(lora).changes, anatomy(opened(target)).changes
    lost = whole = 0.0
    for key, one in before.items():
        other = after[key]
        full = one.scale * one.up.double() @ one.down.double()
        lost += float((full - other.scale * other.up.double() @ other.down.double()).square().sum())
        whole += float(full.square().sum())
    assert math.sqrt(lost / whole) == pytest.approx(made.error, rel=1e-4)
    assert made.error < 0.2


def test_other_kinds_are_not_cut(tmp_path: Path) -> None:
    lora = opened(LORAS / "pop_dora.safetensors")
    with pytest.raises(InputError, match=r"192 of 192 modules are no plain LoRAs: .*\(DoRA\)"):
        resize(lora, Wanted(rank=2))
    tensors = load_file(with_values(tmp_path, SIGMA))
    other = {"lora_unet_conv_out.diff": torch.rand(4, 20, 3, 3)}
    mixed = opened(write(tmp_path / "m.safetensors", {**tensors, **other}))
    with pytest.raises(InputError, match="--partial keeps these as they are"):
        resize(mixed, Wanted(rank=2))
    made = resize(mixed, Wanted(rank=2), partial=True)
    assert made.kept == {"lora_unet_conv_out": "full difference"}
    encoded = rewritten(mixed, made.modules)
    assert torch.equal(encoded.tensors["lora_unet_conv_out.diff"], other["lora_unet_conv_out.diff"])


def test_half_precision_is_part_of_the_error(tmp_path: Path) -> None:
    lora = opened(with_values(tmp_path, SIGMA))
    made = resize(lora, Wanted(rank=5), dtype="F16")
    assert 1e-5 < made.error < 1e-3


@pytest.mark.parametrize(
    ("rule", "said"),
    [
        ({}, "0 rules"),
        ({"rank": 1, "error": 0.1}, "2 rules for the new ranks: rank, error"),
        ({"rank": 0}, "rank 0 is outside 1"),
        ({"energy": 1.5}, "energy 1.5 is outside 0..1"),
        ({"ratio": 0.5}, "ratio 0.5 is outside 1"),
    ],
)
def test_one_rule_within_its_limits(rule: dict[str, float], said: str) -> None:
    with pytest.raises(InputError, match=said):
        Wanted(**rule)


def test_a_file_that_cannot_be_so_small(tmp_path: Path) -> None:
    lora = opened(LORAS / "torii.safetensors")
    with pytest.raises(InputError, match="bytes with rank 1 in every module, not 100"):
        resize(lora, Wanted(size=100))


def test_the_sample_file_can_still_be_read(tmp_path: Path) -> None:
    """What is written is a LoRA with the same modules."""
    resized(LORAS / "pop_kohya.safetensors", tmp_path / "o.safetensors", rank=3)
    assert load(tmp_path / "o.safetensors").keys() == load(LORAS / "pop_kohya.safetensors").keys()
