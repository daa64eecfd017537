"""What a bound LoRA answers: ΔW by the formula, whole or in slices, whatever the names."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
import torch

from sdmerge.adapters.lora.file import open_lora
from sdmerge.adapters.lora.source import LoraSource
from sdmerge.adapters.source import Source
from sdmerge.errors import CorruptFile, FileError
from sdmerge.families import FAMILIES, Family, KeyMap, Piece
from sdmerge.lowrank import dense
from sdmerge.tensors.spec import TensorSpec
from sdmerge.tensors.store import open_store

from .lora_files import DIALECTS, Pair, narrow_file, narrow_specs, random_lora, write

SD1 = FAMILIES.get("sd1")
SPECS = narrow_specs(SD1)
SINGLE = narrow_file(SD1)
SOME = r"^(unet\.(mid_block|conv_in)|text_encoder\..*layers\.1)"
CONV = "unet.mid_block.resnets.0.conv1.weight"
PROJ = "unet.mid_block.attentions.0.proj_in.weight"
QUERY = "text_encoder.encoder.layers.0.self_attn.q_proj.weight"


def bound(path: Path, family: Family = SD1, single: KeyMap | None = SINGLE) -> LoraSource:
    """The file as a source on the narrow model."""
    specs = SPECS if family is SD1 else narrow_specs(family)
    return open_lora(open_store(path)).bind(family, specs, single)


@pytest.mark.parametrize("dialect", DIALECTS)
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16], ids=["f32", "bf16"])
def test_delta_is_the_formula(dialect: str, dtype: torch.dtype, tmp_path: Path) -> None:
    path = tmp_path / "x.safetensors"
    pairs = random_lora(path, SD1, SPECS, dialect, alpha=1.5, targets=SOME, dtype=dtype)
    source: Source = bound(path)
    assert (source.space, source.path, source.family) == ("delta", path, SD1)
    assert list(source.specs) == list(pairs)
    for key, pair in pairs.items():
        assert source.specs[key] == TensorSpec("F32", SPECS[key].shape)
        delta = source.read(key)
        assert delta.dtype == torch.float32
        torch.testing.assert_close(
            delta.double(), pair.delta().flatten(), rtol=1e-6, atol=1e-7, msg=key
        )


def test_a_slice_is_a_slice_of_the_whole(tmp_path: Path) -> None:
    path = tmp_path / "x.safetensors"
    random_lora(path, SD1, SPECS, rank=5, targets=SOME)
    source = bound(path)
    for key in (CONV, PROJ):
        whole = source.read(key)
        starts = range(0, len(whole), 7777)
        with ThreadPoolExecutor(4) as pool:
            slices = [
                pool.submit(source.read, key, start, min(start + 7777, len(whole)))
                for start in starts
            ]
        assert torch.equal(torch.cat([part.result() for part in slices]), whole)
    with pytest.raises(FileError, match="nothing"):
        source.read("unet.nothing.weight")


def test_every_dialect_gives_the_same_bytes(tmp_path: Path) -> None:
    results = []
    for dialect in DIALECTS:
        path = tmp_path / dialect / "x.safetensors"
        path.parent.mkdir()
        random_lora(path, SD1, SPECS, dialect, alpha=1.0, seed=3, targets=SOME)
        source = bound(path)
        results.append({key: source.read(key) for key in source.specs})
    for other in results[1:]:
        assert other.keys() == results[0].keys()
        assert all(torch.equal(other[key], delta) for key, delta in results[0].items())


def test_factors_are_the_delta_in_low_rank(tmp_path: Path) -> None:
    path = tmp_path / "x.safetensors"
    random_lora(path, SD1, SPECS, rank=5, targets=SOME)
    source = bound(path)
    for key in source.specs:
        factors = source.factors(key)
        assert factors.rank == 5
        assert torch.equal(dense(factors), source.read(key))


@pytest.mark.parametrize(
    ("up", "down"),
    [((96, 2), (2, 96)), ((96, 2, 1, 1), (2, 96, 1, 1)), ((96, 2), (2, 96, 1, 1))],
)
def test_a_matrix_and_a_1x1_convolution_are_the_same(
    up: tuple[int, ...], down: tuple[int, ...], tmp_path: Path
) -> None:
    torch.manual_seed(0)
    pair = Pair(torch.randn(up), torch.randn(down), 1.0, (96, 96))
    name = PROJ.removesuffix(".weight")
    tensors = {f"{name}.lora_up.weight": pair.up, f"{name}.lora_down.weight": pair.down}
    path = write(tmp_path / "x.safetensors", tensors)
    for family in (SD1, FAMILIES.get("sd2")):  # in SD2 proj_in is a Linear
        source = bound(path, family, None)
        delta = source.read(PROJ)
        torch.testing.assert_close(delta.double(), pair.delta().flatten(), rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize("rank", [1, 2, 200])
def test_any_rank_and_zero_factors(rank: int, tmp_path: Path) -> None:
    path = tmp_path / "x.safetensors"
    pairs = random_lora(path, SD1, SPECS, rank=rank, targets=SOME)
    delta = bound(path).read(PROJ)
    torch.testing.assert_close(delta.double(), pairs[PROJ].delta().flatten(), rtol=1e-5, atol=1e-6)
    zero = {
        f"{PROJ[:-7]}.lora_up.weight": torch.zeros(96, rank),
        f"{PROJ[:-7]}.lora_down.weight": torch.ones(rank, 96),
    }
    source = bound(write(tmp_path / "z.safetensors", zero))
    assert torch.equal(source.read(PROJ), torch.zeros(96 * 96))


def fused_and_turned() -> tuple[dict[str, TensorSpec], KeyMap]:
    """Three weights of a base whose single file has q, k as one tensor and v turned around."""
    keys = [QUERY.replace("q_proj", f"{letter}_proj") for letter in "qkv"]
    specs = dict.fromkeys(keys, TensorSpec("F32", (4, 6)))
    files = {"root.a.qk.weight": TensorSpec("F32", (8, 6)), "root.b.v": TensorSpec("F32", (6, 4))}
    pieces = {
        "root.a.qk.weight": (
            Piece(keys[0], 0, "root.a.qk.weight", 0, 24),
            Piece(keys[1], 0, "root.a.qk.weight", 24, 24),
        ),
        "root.b.v": (Piece(keys[2], 0, "root.b.v", 0, 24, (4, 6)),),
    }
    return specs, KeyMap(files, pieces, specs)


def test_fused_and_turned_tensors_go_where_their_parts_go(tmp_path: Path) -> None:
    specs, single = fused_and_turned()
    torch.manual_seed(1)
    fused = Pair(torch.randn(8, 2), torch.randn(2, 6), 1.0, (8, 6))
    turned = Pair(torch.randn(6, 3), torch.randn(3, 4), 1.0, (6, 4))
    tensors = {
        "lora_te_a_qk.lora_up.weight": fused.up,
        "lora_te_a_qk.lora_down.weight": fused.down,
        "lora_te_b_v.lora_up.weight": turned.up,
        "lora_te_b_v.lora_down.weight": turned.down,
    }
    path = write(tmp_path / "x.safetensors", tensors)
    source = open_lora(open_store(path)).bind(SD1, specs, single)
    q, k, v = (source.read(key).view(4, 6).double() for key in specs)
    torch.testing.assert_close(torch.cat([q, k]), fused.delta(), rtol=1e-6, atol=1e-6)
    torch.testing.assert_close(v, turned.delta().T, rtol=1e-6, atol=1e-6)
    assert torch.equal(source.read(list(specs)[2], 5, 17), v.float().flatten()[5:17])


def test_parts_of_one_weight_may_come_from_several_modules(tmp_path: Path) -> None:
    specs = {QUERY: TensorSpec("F32", (6, 5))}
    halves = {name: TensorSpec("F32", (3, 5)) for name in ("root.a.weight", "root.b.weight")}
    pieces = {
        "root.a.weight": (Piece(QUERY, 0, "root.a.weight", 0, 15),),
        "root.b.weight": (Piece(QUERY, 15, "root.b.weight", 0, 15),),
    }
    torch.manual_seed(2)
    top = Pair(torch.randn(3, 1), torch.randn(1, 5), 1.0, (3, 5))
    low = Pair(torch.randn(3, 2), torch.randn(2, 5), 0.5, (3, 5))
    tensors = {
        "lora_te_a.lora_up.weight": top.up,
        "lora_te_a.lora_down.weight": top.down,
        "lora_te_b.lora_up.weight": low.up,
        "lora_te_b.lora_down.weight": low.down,
        "lora_te_b.alpha": torch.tensor(1.0),
    }
    single = KeyMap(halves, pieces, specs)
    path = write(tmp_path / "x.safetensors", tensors)
    source = open_lora(open_store(path)).bind(SD1, specs, single)
    expected = torch.cat([top.delta(), low.delta()]).flatten()
    torch.testing.assert_close(source.read(QUERY).double(), expected, rtol=1e-6, atol=1e-6)

    only = {name: tensor for name, tensor in tensors.items() if "_b." in name}
    alone = open_lora(open_store(write(tmp_path / "y.safetensors", only))).bind(SD1, specs, single)
    assert torch.equal(alone.read(QUERY, 0, 15), torch.zeros(15))
    torch.testing.assert_close(alone.read(QUERY, 15).double(), low.delta().flatten())

    whole = {
        "lora_te_text_model_encoder_layers_0_self_attn_q_proj.lora_up.weight": torch.ones(6, 1),
        "lora_te_text_model_encoder_layers_0_self_attn_q_proj.lora_down.weight": torch.ones(1, 5),
    }
    both = open_lora(open_store(write(tmp_path / "z.safetensors", tensors | whole)))
    with pytest.raises(CorruptFile, match="both change"):
        both.bind(SD1, specs, single)
