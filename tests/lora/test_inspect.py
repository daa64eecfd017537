"""What is said of one LoRA and of two, against the formulas on whole matrices."""

from __future__ import annotations

import json
import math
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor

from sdmerge.adapters import LoraFile, MappedSource, open_model
from sdmerge.errors import FamilyError
from sdmerge.families import FAMILIES
from sdmerge.lora.anatomy import Anatomy, anatomy, block_norms, effective_rank
from sdmerge.lora.overlap import overlap, sentences
from sdmerge.lora.trainer import tags, told
from sdmerge.lowrank import Factors, decompose, principal_angles, singular_values
from sdmerge.testing import random_lora as random_adapter
from tests.adapters.lora_files import narrow_specs, random_lora
from tests.adapters.lora_formulas import changed
from tests.tiny import SAMPLES, cli, load

LORAS = SAMPLES.parent / "loras"
SD1 = FAMILIES.get("sd1")
QUERY, KEY = (
    f"unet.mid_block.attentions.0.transformer_blocks.0.attn1.to_{one}.weight" for one in "qk"
)


def of(path: Path) -> Anatomy:
    lora = open_model(path)
    assert isinstance(lora, LoraFile)
    return anatomy(lora)


def made(changes: dict[str, Factors]) -> Anatomy:
    return Anatomy((SD1,), changes, {}, {}, {}, {})


def dense(factors: Factors) -> torch.Tensor:
    return factors.scale * factors.up.double() @ factors.down.double()


def test_the_norms_of_blocks_are_those_of_the_products() -> None:
    found = of(LORAS / "torii.safetensors")
    assert found.ranks == {8: 140}
    assert found.alphas == {16.0: 140}
    wanted: dict[str, float] = {}
    for key, factors in found.changes.items():
        assert isinstance(factors, Factors)
        block = SD1.block(key)
        wanted[block] = wanted.get(block, 0.0) + float(dense(factors).square().sum())
    norms = block_norms(found)
    assert {one.block for one in norms} == wanted.keys()
    for one in norms:
        assert one.norm == pytest.approx(math.sqrt(wanted[one.block]), rel=1e-6)
    assert sum(one.modules for one in norms) == 140
    assert [one.block for one in norms][:3] == ["BASE", "IN01", "IN02"]


def test_the_share_of_the_base() -> None:
    base = open_model(SAMPLES / "base")
    assert isinstance(base, MappedSource)
    found = of(LORAS / "pop.safetensors")
    (middle,) = [one for one in block_norms(found, base) if one.block == "M00"]
    whole = sum(float(base.read(key).double().square().sum()) for key in found.of_block("M00"))
    assert middle.share == pytest.approx(middle.norm / math.sqrt(whole), rel=1e-9)


def test_the_effective_rank_counts_directions() -> None:
    assert effective_rank(torch.tensor([2.0, 2.0, 2.0, 0.0])) == pytest.approx(3)
    assert effective_rank(torch.tensor([5.0])) == pytest.approx(1)
    assert effective_rank(torch.zeros(3)) == 0
    shares = np.array([0.5, 0.3, 0.2])
    entropy = -(shares * np.log(shares)).sum()
    assert effective_rank(torch.tensor(7 * shares)) == pytest.approx(math.exp(entropy))


def test_singular_values_and_bases_are_those_of_the_product() -> None:
    factors = Factors(torch.randn(12, 4), torch.randn(4, 9), 0.3)
    whole = dense(factors)
    assert torch.allclose(singular_values(factors), torch.linalg.svdvals(whole)[:4], rtol=1e-10)
    left, sigma, right = decompose(factors)
    assert torch.allclose(left * sigma @ right, whole, atol=1e-12)
    assert torch.allclose(left.T @ left, torch.eye(4).double(), atol=1e-12)
    twice = Factors(torch.cat([factors.up] * 2, 1), torch.cat([factors.down] * 2))
    assert decompose(twice)[0].shape == (12, 4)


def test_principal_angles_small_and_large() -> None:
    """Planes of four dimensions, turned by known angles; tiny ones to the last digits."""
    turns = [1e-9, 0.3, 1.2]
    first = torch.eye(8)[:, :3].double()
    second = torch.zeros(8, 3).double()
    for place, turn in enumerate(turns):
        second[place, place], second[place + 3, place] = math.cos(turn), math.sin(turn)
    rotation = torch.linalg.qr(torch.randn(8, 8).double())[0]
    mixed = torch.linalg.qr(torch.randn(3, 3).double())[0]
    angles = principal_angles(rotation @ first @ mixed, rotation @ second)
    assert angles.tolist() == pytest.approx(turns, rel=1e-6)
    assert len(principal_angles(first[:, :1], second)) == 1


def test_a_lora_and_itself_share_everything() -> None:
    found = of(LORAS / "torii.safetensors")
    for one in overlap(found, found):
        assert one.cosine == pytest.approx(1)
        assert one.written is not None
        assert one.written.overlap == pytest.approx(1)
        assert one.written.angle == pytest.approx(0, abs=1e-6)
        assert one.read is not None
        assert one.read.overlap == pytest.approx(1)


def test_what_is_written_and_what_is_read_are_told_apart() -> None:
    """B writes where A does, and reads at right angles to it."""
    basis = torch.linalg.qr(torch.randn(16, 16))[0]
    first = made({QUERY: Factors(basis[:, :2], basis[:, :2].T.contiguous(), 2.0)})
    second = made({QUERY: Factors(basis[:, :2], basis[:, 2:4].T.contiguous())})
    (one,) = overlap(first, second)
    assert one.block == "M00"
    assert one.cosine == pytest.approx(0, abs=1e-6)
    assert one.written is not None
    assert one.read is not None
    assert one.written.overlap == pytest.approx(1, abs=1e-6)
    assert one.written.chance == pytest.approx(2 / 16)
    assert one.read.overlap == pytest.approx(0, abs=1e-6)
    assert one.read.angle == pytest.approx(90, abs=1e-3)
    assert sentences([one]) == [
        "They write into the same features in M00 (1.00).",
        "They read no more of the same features than chance gives.",
    ]


def test_what_is_in_one_alone_counts_in_the_cosine() -> None:
    a = Factors(torch.randn(16, 2), torch.randn(2, 16))
    b = Factors(torch.randn(16, 2), torch.randn(2, 16))
    (one,) = overlap(made({QUERY: a, KEY: b}), made({QUERY: Factors(-a.up, a.down)}))
    whole = math.sqrt(float(dense(a).square().sum() + dense(b).square().sum()))
    assert one.cosine == pytest.approx(-float(dense(a).norm()) / whole, rel=1e-6)
    assert one.shared == 1


def test_words_for_help_and_harm() -> None:
    a = Factors(torch.randn(16, 2), torch.randn(2, 16))
    same = overlap(made({QUERY: a}), made({QUERY: a}))
    assert "They strengthen each other in M00." in sentences(same)
    against = overlap(made({QUERY: a}), made({QUERY: Factors(-a.up, a.down)}))
    assert "They cancel each other in M00." in sentences(against)
    apart = overlap(made({QUERY: a}), made({KEY: a}))
    assert sentences(apart) == ["They change different weights: each keeps what it does."]


def test_random_loras_share_what_chance_gives(tmp_path: Path) -> None:
    for seed in (1, 2):
        random_lora(
            tmp_path / f"{seed}.safetensors", SD1, narrow_specs(SD1), rank=8, seed=seed,
            targets="mid_block",
        )  # fmt: skip
    found = overlap(of(tmp_path / "1.safetensors"), of(tmp_path / "2.safetensors"))
    for one in found:
        assert one.written is not None
        assert one.written.overlap == pytest.approx(one.written.chance, abs=0.1)
        assert not one.written.is_close


def test_loras_for_different_models_are_refused(tmp_path: Path) -> None:
    sdxl = FAMILIES.get("sdxl")
    random_lora(tmp_path / "x.safetensors", sdxl, narrow_specs(sdxl), rank=1, targets="attn1")
    torii = of(LORAS / "torii.safetensors")
    with pytest.raises(FamilyError, match="different"):
        overlap(torii, of(tmp_path / "x.safetensors"))
    wide = {QUERY: Factors(torch.randn(20, 1), torch.randn(1, 20))}
    with pytest.raises(FamilyError, match="different widths"):
        overlap(made(wide), made({QUERY: Factors(torch.randn(16, 1), torch.randn(1, 16))}))


def test_what_acts_on_weights_is_counted_and_not_measured() -> None:
    found = of(LORAS / "pop_dora.safetensors")
    assert found.kinds == {"DoRA": 192}
    assert not found.changes
    assert len(found.other) == 192
    assert block_norms(found) == []


def test_what_trainers_tell() -> None:
    metadata = {
        "ss_base_model_version": "sdxl_base_v1-0",
        "ss_output_name": "torii",
        "ss_sd_model_name": "None",
        "modelspec.trigger_phrase": "torii gate",
        "ss_tag_frequency": json.dumps({"10_a": {"torii": 30, "sky ": 2}, "5_b": {"sky": 4}}),
    }
    assert told(metadata) == {
        "base": "sdxl_base_v1-0",
        "title": "torii",
        "trigger words": "torii gate",
    }
    assert tags(metadata) == {"torii": 30, "sky": 6}
    assert tags({"ss_tag_frequency": "{broken"}) == {}
    assert tags({"ss_tag_frequency": '["a"]'}) == {}


BASE = SAMPLES / "base"
KINDS = ("loha", "lokr", "lokr-full", "tucker", "loha-tucker", "full", "lora")
ACTING = ("dora", "ia3", "oft", "boft", "glora", "set")


def changed_by(path: Path) -> tuple[dict[str, torch.Tensor], MappedSource]:
    """What a kohya file of ours makes of the base's weights, by the formulas, less these."""
    base = open_model(BASE)
    assert isinstance(base, MappedSource)
    found: dict[str, torch.Tensor] = {}
    tensors = load(path)
    for key, spec in base.specs.items():
        name = f"lora_{key.removesuffix('.weight').replace('.', '_')}."
        parts = {one.removeprefix(name): t for one, t in tensors.items() if one.startswith(name)}
        parts = {end: part for end, part in parts.items() if end != "diff_b"}
        if key.endswith(".weight") and parts:
            weight = base.read(key).float().view(spec.shape)
            found[key] = changed(weight, parts) - weight.double()
    return found, base


@pytest.mark.parametrize("kind", [*KINDS, *ACTING])
def test_every_kind_is_measured(kind: str, tmp_path: Path) -> None:
    path = random_adapter(
        tmp_path / "x.safetensors", BASE, kind=kind, dialect="kohya", rank=2, dtype="float32",
        targets=r"unet\.mid_block\.(resnets\.0\.conv1|attentions.*attn1\.to_q)", spread=0.3,
    )  # fmt: skip
    wanted, base = changed_by(path)
    lora = open_model(path)
    assert isinstance(lora, LoraFile)
    found = anatomy(lora, base if kind in ACTING else None)
    assert not found.other
    (middle,) = block_norms(found)
    biases = [found.changes[key] for key in found.changes if key.endswith(".bias")]
    beside = sum(float(one.double().square().sum()) for one in biases if isinstance(one, Tensor))
    square = sum(float(one.square().sum()) for one in wanted.values()) + beside
    assert middle.norm == pytest.approx(math.sqrt(square), rel=1e-4)
    ranks = [
        effective_rank(torch.linalg.svdvals(one.reshape(len(one), -1))) for one in wanted.values()
    ] + [1.0] * len(biases)
    assert middle.effective_rank == pytest.approx(sum(ranks) / len(ranks), rel=1e-2)
    if kind in ACTING:
        assert set(anatomy(lora).other.values()) == set(found.kinds)
        assert anatomy(lora).needs_base


def test_two_of_other_kinds_are_compared(tmp_path: Path) -> None:
    paths = [
        random_adapter(
            tmp_path / f"{kind}.safetensors",
            BASE,
            kind=kind,
            dialect="kohya",
            rank=2,
            seed=seed,
            targets=r"unet\.mid_block.*attn1\.to_q",
            dtype="float32",
        )
        for seed, kind in enumerate(("lokr", "loha", "full"))
    ]
    dense_of = [changed_by(path)[0] for path in paths]
    for one, other in ((0, 1), (1, 2), (2, 2)):
        (found,) = overlap(of(paths[one]), of(paths[other]))
        (a,), (b,) = dense_of[one].values(), dense_of[other].values()
        cosine = float((a * b).sum() / a.norm() / b.norm())
        assert found.cosine == pytest.approx(cosine, abs=1e-6)


def test_what_needs_a_base_is_said() -> None:
    said = cli("lora", "inspect", LORAS / "pop_dora.safetensors")
    assert "not measured below: DoRA (192); --base MODEL" in said.out
    said = cli("lora", "inspect", LORAS / "pop_dora.safetensors", "--base", BASE)
    assert "not measured" not in said.out
    assert "M00" in said.out
