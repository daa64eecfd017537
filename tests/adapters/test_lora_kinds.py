"""Each kind of adapter against its formula in float64: kernels, matrices, ranks, dtypes, alphas."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pytest
import torch
from torch import Tensor

from sdmerge.adapters.lora.file import LoraFile, open_lora
from sdmerge.adapters.lora.source import LoraSource
from sdmerge.errors import CorruptFile, FamilyError, FileError, SdmergeError
from sdmerge.families import FAMILIES, KeyMap, Piece
from sdmerge.lowrank import dense
from sdmerge.tensors.spec import TensorSpec
from sdmerge.tensors.store import open_store
from sdmerge.testing import check_adapter
from sdmerge.testing.random_parts import ADAPTERS, WITH_ALPHA, Draw

from .lora_files import narrow_file, narrow_specs, write
from .lora_formulas import changed

SD1 = FAMILIES.get("sd1")
SPECS, SINGLE = narrow_specs(SD1), narrow_file(SD1)
CONV = "unet.mid_block.resnets.0.conv1"
POINT = "unet.mid_block.attentions.0.proj_in"  # a 1×1 convolution
LINEAR = "unet.mid_block.attentions.0.transformer_blocks.0.attn2.to_k"
NORM = "unet.mid_block.attentions.0.transformer_blocks.0.norm1"
OPERATORS = {"set", "glora", "ia3", "ia3-input", "oft", "boft", "dora", "dora-input", "dora-loha",
             "dora-lokr"}  # fmt: skip


def shape(module: str) -> tuple[int, ...]:
    return SPECS[f"{module}.weight"].shape


def modules_of(kind: str) -> dict[str, dict[str, Tensor]]:
    """Random parts of the kind for each module that it can change."""
    names = [NORM] if kind == "norm" else [CONV, POINT, LINEAR]
    draw = Draw(7)
    made = {name: ADAPTERS[kind](shape(name), 4, draw) for name in names}
    for name, parts in made.items():
        if parts.get("diff_b") is not None and f"{name}.bias" not in SPECS:
            del parts["diff_b"]
    return {name: parts for name, parts in made.items() if parts}


def opened(folder: Path, modules: Mapping[str, Mapping[str, Tensor]], **more: Tensor) -> LoraFile:
    tensors = {
        f"{name}.{end}": part for name, parts in modules.items() for end, part in parts.items()
    }
    return open_lora(open_store(write(folder / "x.safetensors", tensors | more)))


def bound(folder: Path, modules: Mapping[str, Mapping[str, Tensor]]) -> LoraSource:
    return opened(folder, modules).bind(SD1, SPECS, SINGLE)


def weights(name: str) -> Tensor:
    return torch.randn(shape(name), generator=torch.Generator().manual_seed(11))


def near(found: Tensor, wanted: Tensor) -> None:
    size = float(wanted.abs().max())
    torch.testing.assert_close(found.double(), wanted, rtol=0, atol=2e-6 * max(size, 1.0))


HALVES = {"tucker": torch.bfloat16, "loha": torch.float16, "lokr": torch.bfloat16,
          "glora": torch.float16, "boft": torch.bfloat16, "dora": torch.float16}  # fmt: skip


@pytest.mark.parametrize(
    ("kind", "dtype"), [*((kind, torch.float32) for kind in ADAPTERS), *HALVES.items()]
)
def test_a_kind_is_its_formula(kind: str, dtype: torch.dtype, tmp_path: Path) -> None:
    modules = modules_of(kind)
    for parts in modules.values():
        if kind.startswith(WITH_ALPHA):
            parts["alpha"] = torch.tensor(3.0)
        parts |= {end: p.to(dtype) for end, p in parts.items() if p.dim()}
    source = bound(tmp_path, modules)
    check_adapter(source)
    assert source.space == ("operator" if kind in OPERATORS else "delta")
    assert {key for key in source.specs if key.endswith(".weight")} == {
        f"{name}.weight" for name in modules
    }
    for name, parts in modules.items():
        key, before = f"{name}.weight", weights(name)
        after = source.apply(key, before)
        wanted = changed(before, parts)
        assert (after.dtype, after.shape) == (torch.float32, before.shape)
        near(after, wanted)
        assert float((wanted - before.double()).abs().max()) > 1e-3
        if source.space == "delta":
            near(source.read(key).view(before.shape), wanted - before.double())


@pytest.mark.parametrize("kind", [kind for kind in ADAPTERS if kind not in OPERATORS])
def test_a_slice_is_a_slice_of_the_whole(kind: str, tmp_path: Path) -> None:
    modules = modules_of(kind)
    source = bound(tmp_path, modules)
    for name in modules:
        whole = source.read(f"{name}.weight")
        parts = [source.read(f"{name}.weight", at, min(at + 777, len(whole)))
                 for at in range(0, min(len(whole), 5000), 777)]  # fmt: skip
        joined = torch.cat(parts)
        assert torch.equal(joined, whole[: len(joined)])


@pytest.mark.parametrize(
    ("kind", "ranks"),
    [
        ("lora", {CONV: 2, POINT: 2, LINEAR: 2}),
        ("tucker", {CONV: 2}),
        ("loha", {CONV: 4, POINT: 4, LINEAR: 4}),
        ("lokr", {CONV: 16, POINT: 16, LINEAR: 12}),
        ("lokr-both", {CONV: 4, POINT: 4, LINEAR: 4}),
        ("loha-tucker", {CONV: None}),
        ("lokr-full", {CONV: None, POINT: None, LINEAR: None}),
        ("full", {CONV: None, POINT: None, LINEAR: None}),
        ("dora", {CONV: None, POINT: None, LINEAR: None}),
    ],
)
def test_factors_where_there_is_a_low_rank(
    kind: str, ranks: Mapping[str, int | None], tmp_path: Path
) -> None:
    modules = {name: ADAPTERS[kind](shape(name), 2, Draw(3)) for name in ranks}
    for parts in modules.values():
        parts.pop("diff_b", None)
    source = bound(tmp_path, modules)
    found = {name: source.factors(f"{name}.weight") for name in ranks}
    assert {name: one and one.rank for name, one in found.items()} == ranks
    for name, factors in found.items():
        if factors is not None:
            near(dense(factors), source.read(f"{name}.weight").double())


def test_factors_that_hold_more_than_the_weight_are_none(tmp_path: Path) -> None:
    modules = {LINEAR: ADAPTERS["loha"](shape(LINEAR), 8, Draw(3))}
    assert bound(tmp_path, modules).factors(f"{LINEAR}.weight") is None


@pytest.mark.parametrize("alpha", [0.0, 1.0, 6.0])
@pytest.mark.parametrize("kind", ["loha", "lokr", "lokr-full", "glora", "tucker"])
def test_alpha_over_rank(kind: str, alpha: float, tmp_path: Path) -> None:
    parts = {**ADAPTERS[kind](shape(CONV), 4, Draw(5)), "alpha": torch.tensor(alpha)}
    before = weights(CONV)
    near(bound(tmp_path, {CONV: parts}).apply(f"{CONV}.weight", before), changed(before, parts))


@pytest.mark.parametrize("kind", ["lora", "loha", "lokr", "glora", "oft", "dora"])
def test_rank_one(kind: str, tmp_path: Path) -> None:
    parts = ADAPTERS[kind](shape(LINEAR), 1, Draw(5))
    before = weights(LINEAR)
    near(bound(tmp_path, {LINEAR: parts}).apply(f"{LINEAR}.weight", before), changed(before, parts))


@pytest.mark.parametrize("kind", ["oft", "boft"])
def test_rotations_keep_lengths_and_their_norm_is_bounded(kind: str, tmp_path: Path) -> None:
    parts = ADAPTERS[kind](shape(CONV), 4, Draw(5))
    parts.pop("rescale", None)
    before = weights(CONV)
    after = bound(tmp_path, {CONV: parts}).apply(f"{CONV}.weight", before)
    sums = [one.double().flatten(1).square().sum(0) for one in (before, after)]
    torch.testing.assert_close(*sums)
    held = {**parts, "alpha": torch.tensor(1e-3)}  # the bound is 96 times that
    near(bound(tmp_path, {CONV: held}).apply(f"{CONV}.weight", before), changed(before, held))
    assert not torch.allclose(changed(before, held), changed(before, parts))


def test_the_older_glora_is_told_by_its_shapes(tmp_path: Path) -> None:
    parts = ADAPTERS["glora"](shape(LINEAR), 4, Draw(5))
    turned = {"a1.weight": "a2.weight", "a2.weight": "a1.weight", "b1.weight": "b2.weight",
              "b2.weight": "b1.weight"}  # fmt: skip
    older = {turned[end]: part for end, part in parts.items()}
    before = weights(LINEAR)
    after = bound(tmp_path, {LINEAR: older}).apply(f"{LINEAR}.weight", before)
    near(after, changed(before, parts))


def test_a_gloras_kernel_may_have_a_core(tmp_path: Path) -> None:
    draw = Draw(8)
    parts = {
        "a1.weight": draw(96, 3, 1, 1),
        "a2.weight": draw(3, 96, 1, 1),
        "b1.weight": draw(96, 3, 1, 1),
        "bm.weight": draw(3, 3, 3, 3),
        "b2.weight": draw(3, 96, 1, 1),
    }
    before = weights(CONV)
    wide = {end: part.double() for end, part in parts.items()}
    turned = wide["a1.weight"].flatten(1) @ wide["a2.weight"].flatten(1)
    wanted = before.double() + torch.einsum("oi...,ij->oj...", before.double(), turned)
    flat = wide["b1.weight"].flatten(1), wide["bm.weight"], wide["b2.weight"].flatten(1)
    wanted += torch.einsum("or,rs...,si->oi...", *flat)
    near(bound(tmp_path, {CONV: parts}).apply(f"{CONV}.weight", before), wanted)


def test_a_zero_row_stays_zero_under_magnitudes(tmp_path: Path) -> None:
    parts = ADAPTERS["dora"](shape(LINEAR), 2, Draw(5))
    parts["lora_up.weight"][3] = 0
    before = weights(LINEAR)
    before[3] = 0
    after = bound(tmp_path, {LINEAR: parts}).apply(f"{LINEAR}.weight", before)
    assert torch.isfinite(after).all()
    assert torch.equal(after[3], torch.zeros_like(after[3]))


def test_biases_are_changed_as_well(tmp_path: Path) -> None:
    draw = Draw(1)
    modules = {CONV: {"diff": draw(*shape(CONV)), "diff_b": draw(96)}, NORM: {"b_norm": draw(96)}}
    source = bound(tmp_path, modules)
    assert set(source.specs) == {f"{CONV}.weight", f"{CONV}.bias", f"{NORM}.bias"}
    near(source.read(f"{CONV}.bias"), modules[CONV]["diff_b"].double())
    near(source.read(f"{NORM}.bias"), modules[NORM]["b_norm"].double())
    with pytest.raises(FamilyError, match="1 of 1 modules are not in"):  # to_k has no bias
        bound(tmp_path, {LINEAR: {"diff_b": draw(96)}})


def test_a_lora_may_go_with_a_bias_of_its_own(tmp_path: Path) -> None:
    draw = Draw(2)
    parts = {**ADAPTERS["lora"](shape(CONV), 2, draw), "diff_b": draw(96)}
    lora = opened(tmp_path, {CONV: parts})
    assert lora.kinds == {"LoRA + full difference": 1}
    source = lora.bind(SD1, SPECS, SINGLE)
    assert source.space == "delta"
    near(source.read(f"{CONV}.bias"), parts["diff_b"].double())


def test_an_operator_has_no_change_to_read(tmp_path: Path) -> None:
    source = bound(tmp_path, {LINEAR: ADAPTERS["ia3"](shape(LINEAR), 0, Draw(0))})
    with pytest.raises(SdmergeError, match="acts on a weight"):
        source.read(f"{LINEAR}.weight")


@pytest.mark.parametrize(
    ("kind", "missing", "message"),
    [
        ("loha", "hada_w2_a", "no hada_w2_a factor"),
        ("loha-tucker", "hada_t2", "no hada_t2 factor"),
        ("lokr", "lokr_w2_b", "no lokr_w2_b factor"),
        ("lokr", "lokr_w1", "no lokr_w1_a factor"),
        ("glora", "b1.weight", "no b1 factor"),
        ("ia3", "weight", "no weight factor"),
        ("boft", "oft_blocks", "no oft_blocks factor"),
        ("tucker", "lora_up.weight", "no up factor"),
    ],
)
def test_half_a_module_is_a_corrupt_file(
    kind: str, missing: str, message: str, tmp_path: Path
) -> None:
    parts = ADAPTERS[kind](shape(CONV), 4, Draw(0))
    del parts[missing]
    with pytest.raises(CorruptFile, match=message):
        opened(tmp_path, {CONV: parts})


def test_factors_of_other_ranks_are_a_corrupt_file(tmp_path: Path) -> None:
    for kind, end in (("loha", "hada_w2_b"), ("lokr", "lokr_w2_a"), ("glora", "a2.weight"),
                      ("tucker", "lora_mid.weight")):  # fmt: skip
        parts = ADAPTERS[kind](shape(CONV), 4, Draw(0))
        parts[end] = ADAPTERS[kind](shape(CONV), 3, Draw(0))[end]
        with pytest.raises(CorruptFile, match="the ranks of module"):
            opened(tmp_path, {CONV: parts})


def test_one_weight_is_not_changed_twice(tmp_path: Path) -> None:
    both = ADAPTERS["lora"](shape(LINEAR), 2, Draw(0)) | ADAPTERS["loha"](shape(LINEAR), 2, Draw(0))
    with pytest.raises(CorruptFile, match="changes its weight twice"):
        opened(tmp_path, {LINEAR: both})


def test_two_adapters_in_one_file_are_refused(tmp_path: Path) -> None:
    parts = {f"hada_w{n}_{side}.{name}": torch.ones(4, 4)
             for n in (1, 2) for side in "ab" for name in ("one", "two")}  # fmt: skip
    with pytest.raises(CorruptFile, match="are both the hada_w1_a of one module"):
        opened(tmp_path, {LINEAR: parts})


@pytest.mark.parametrize(
    ("ends", "kind"),
    [
        (("q_layer.weight", "p_layer.weight", "lambda_layer"), "T-LoRA, which changes with"),
        (("vera_lambda_b", "vera_lambda_d"), "PEFT's vera"),
        (("hra_u",), "PEFT's hra"),
        (("glora_A.default.Xd", "glora_A.default.Xu"), "PEFT's glora"),
        (("lora_A", "lora_B", "lora_E"), "AdaLoRA"),
        (("oft_diag",), "diag-OFT of rotations"),
        (("reshape_weight",), "weight of another shape"),
    ],
)
def test_what_is_not_read_is_refused_by_name(
    ends: tuple[str, ...], kind: str, tmp_path: Path
) -> None:
    lora = opened(tmp_path, {LINEAR: {end: torch.ones(2, 2) for end in ends}})
    assert LoraFile.is_lora(lora.store.specs)
    with pytest.raises(FileError, match=kind):
        lora.bind(SD1, SPECS, SINGLE)


def test_what_has_no_place_is_left_out_if_that_is_allowed(tmp_path: Path) -> None:
    fits = ADAPTERS["lora"](shape(LINEAR), 2, Draw(0))
    modules = {LINEAR: fits, POINT: ADAPTERS["lora"]((8, 8), 2, Draw(0)), "unet.none": fits,
               "unet.x": {"hra_u": torch.ones(2)}}  # fmt: skip
    lora = opened(tmp_path, modules, **{"some.thing": torch.ones(2)})
    source = lora.bind(SD1, SPECS, SINGLE, partial=True)
    assert list(source.specs) == [f"{LINEAR}.weight"]
    assert source.left_out == (POINT, "unet.none", "unet.x", "some.thing")
    nothing = opened(tmp_path, {"unet.none": fits})
    with pytest.raises(FamilyError, match="1 of 1 modules are not in"):
        nothing.bind(SD1, SPECS, SINGLE, partial=True)


Q, K, V = (f"text_encoder.encoder.layers.0.self_attn.{one}_proj.weight" for one in "qkv")
ATTENTION = dict.fromkeys((Q, K, V), TensorSpec("F32", (4, 6)))
# a single file that has q and k as one tensor, and v turned
SINGLE_FILE = KeyMap(
    {"root.a.qk.weight": TensorSpec("F32", (8, 6)), "root.b.v": TensorSpec("F32", (6, 4))},
    {
        "root.a.qk.weight": (
            Piece(Q, 0, "root.a.qk.weight", 0, 24),
            Piece(K, 0, "root.a.qk.weight", 24, 24),
        ),
        "root.b.v": (Piece(V, 0, "root.b.v", 0, 24, (4, 6)),),
    },
    ATTENTION,
)


def attention(folder: Path, name: str, parts: Mapping[str, Tensor]) -> LoraSource:
    """A module of this kohya name, bound to these weights."""
    tensors = {f"lora_te_{name}.{end}": part for end, part in parts.items()}
    lora = open_lora(open_store(write(folder / "x.safetensors", tensors)))
    return lora.bind(SD1, ATTENTION, SINGLE_FILE)


@pytest.mark.parametrize("kind", ["lora", "loha", "lokr", "full", "glora", "ia3-input", "dora"])
def test_a_fused_weight_is_changed_part_by_part(kind: str, tmp_path: Path) -> None:
    parts = ADAPTERS[kind]((8, 6), 2, Draw(4))
    parts.pop("diff_b", None)
    source = attention(tmp_path, "a_qk", parts)
    before = torch.randn(8, 6, generator=torch.Generator().manual_seed(1))
    halves = [source.apply(key, half) for key, half in zip((Q, K), before.split(4), strict=True)]
    near(torch.cat(halves), changed(before, parts))


@pytest.mark.parametrize("kind", ["oft", "dora-input"])
def test_what_acts_on_a_fused_weight_as_a_whole_is_refused(kind: str, tmp_path: Path) -> None:
    with pytest.raises(FamilyError, match=r"acts on root\.a\.qk\.weight as a whole"):
        attention(tmp_path, "a_qk", ADAPTERS[kind]((8, 6), 2, Draw(4)))


@pytest.mark.parametrize("kind", ["loha", "glora", "oft", "dora", "dora-input"])
def test_a_turned_weight_is_turned_for_the_adapter(kind: str, tmp_path: Path) -> None:
    parts = ADAPTERS[kind]((6, 4), 2, Draw(4))
    before = torch.randn(4, 6, generator=torch.Generator().manual_seed(1))
    near(attention(tmp_path, "b_v", parts).apply(V, before), changed(before.T, parts).T)
