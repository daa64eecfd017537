"""`lora bake` and `unbake`: against a LoRA at work in diffusers, and against the formula."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import torch
from adapters.lora_files import Pair, random_lora
from tiny import SAMPLES, Said, canonical, cli, edited, load, model, same, words
from torch import Tensor

from sdmerge.cli.lora.bake import split_weight
from sdmerge.errors import InputError
from sdmerge.families import FAMILIES
from sdmerge.tensors.spec import TensorSpec

SD1 = FAMILIES.get("sd1")
LORAS = SAMPLES.parent / "loras"


def base(dtype: str = "float32") -> Path:
    """A model with a UNet and a text encoder."""
    return model("sd1", 0, components=("unet", "text_encoder"), dtype=dtype)


@pytest.fixture(scope="module")
def specs() -> dict[str, TensorSpec]:
    from sdmerge.adapters import open_model

    return dict(open_model(base()).specs)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("bake")


@pytest.fixture(scope="module")
def style(folder: Path, specs: dict[str, TensorSpec]) -> Mapping[str, Pair]:
    """What style.safetensors changes: attention and, as a LoCon does, convolutions."""
    path = folder / "style.safetensors"
    return random_lora(path, SD1, specs, "kohya", rank=3, alpha=1.5, targets="attn|conv1|mlp")


@pytest.fixture(scope="module")
def subject(folder: Path, specs: dict[str, TensorSpec]) -> Mapping[str, Pair]:
    path = folder / "subject.safetensors"
    return random_lora(path, SD1, specs, "diffusers", rank=2, alpha=3.0, seed=1, targets="attn")


def done(*arguments: object) -> Said:
    said = cli("lora", *arguments)
    assert said.code == 0, said.err
    return said


def check(out: Path, expected: Mapping[str, Tensor]) -> None:
    """The base plus these differences, in float32."""
    before, after = canonical(base()), canonical(out)
    assert before.keys() == after.keys()
    for key, tensor in before.items():
        if key in expected:
            wanted = tensor.double() + expected[key].reshape(-1)
            assert torch.allclose(after[key].double(), wanted, rtol=0, atol=1e-6), key
        else:
            assert torch.equal(after[key], tensor), key


def test_the_sum_of_what_the_loras_say(
    folder: Path, style: Mapping[str, Pair], subject: Mapping[str, Pair]
) -> None:
    two = (f"{folder / 'style.safetensors'}:0.8", f"{folder / 'subject.safetensors'}:-0.5")
    done("bake", base(), *two, "-o", folder / "sum.safetensors")
    expected = {key: 0.8 * pair.delta() for key, pair in style.items()}
    for key, pair in subject.items():
        expected[key] = expected.get(key, torch.zeros(())) - 0.5 * pair.delta()
    check(folder / "sum.safetensors", expected)


ROW = [0.5, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1.0, 1.1, 1.2, 1.3, 1.4, 1.5, 1.6]
LABELS = [
    "BASE", "IN01", "IN02", "IN04", "IN05", "IN07", "IN08", "M00", "OUT03", "OUT04", "OUT05",
    "OUT06", "OUT07", "OUT08", "OUT09", "OUT10", "OUT11",
]  # fmt: skip


def block(key: str) -> str:
    """The block of a key, by the rule that block-weight tools follow."""
    parts = key.split(".")
    if parts[0] == "text_encoder":
        return "BASE"
    if parts[1] == "mid_block":
        return "M00"
    way, level, place = parts[1], int(parts[2]), int(parts[4])
    assert parts[3] in ("attentions", "resnets")
    return f"IN{3 * level + place + 1:02}" if way == "down_blocks" else f"OUT{3 * level + place:02}"


@pytest.mark.parametrize(
    ("flags", "encoder", "unet", "row"),
    [
        ((), 1.0, 1.0, "numbers"),
        (("--text-encoder", "0.5"), 0.5, 1.0, None),
        (("--unet", "0.25"), 1.0, 0.25, "OUTALL"),
        (("--text-encoder", "0", "--unet", "2"), 0.0, 2.0, "numbers"),
        (("--text-encoder", "0.5", "--unet", "0.5"), 0.5, 0.5, None),
    ],
)
def test_components_and_blocks(
    folder: Path, style: Mapping[str, Pair], flags: tuple[str, ...], encoder: float, unet: float,
    row: str | None,
) -> None:  # fmt: skip
    numbers = ROW if row == "numbers" else [1.0] + [0.0] * 7 + [1.0] * 9
    by_block = dict(zip(LABELS, numbers, strict=True))
    given = ",".join(map(str, ROW)) if row == "numbers" else row
    more = () if row is None else ("--block-weights", given)
    out = folder / "x.safetensors"
    lora = f"{folder / 'style.safetensors'}:0.9"
    said = done("bake", base(), lora, *flags, *more, "-o", out, "--force")
    expected = {
        key: 0.9
        * (encoder if key.startswith("text") else unet)
        * (1.0 if row is None else by_block.get(block(key), 0.0))
        * pair.delta()
        for key, pair in style.items()
    }
    check(out, expected)
    if row is not None:
        assert "leave out IN00, IN03, IN06, IN09, IN10, IN11, OUT00, OUT01, OUT02" in said.out


def test_block_weights_for_each(
    folder: Path, style: Mapping[str, Pair], subject: Mapping[str, Pair]
) -> None:
    two = [folder / "style.safetensors", folder / "subject.safetensors"]
    rows = ["--block-weights", "NONE", "--block-weights", "ALL"]
    done("bake", base(), *two, *rows, "-o", folder / "each.safetensors")
    check(folder / "each.safetensors", {key: pair.delta() for key, pair in subject.items()})
    assert set(style) - set(subject)


def test_it_is_the_merge_that_it_says_it_is(folder: Path, style: Mapping[str, Pair]) -> None:
    """`show` prints a task arithmetic recipe, and `verify` makes the same of it."""
    out, lora = folder / "said.safetensors", folder / "style.safetensors"
    done("bake", base(), f"{lora}:0.7", "--block-weights", "MIDD", "-o", out)
    said = cli("show", out).out
    assert "merge_method: task_arithmetic" in said
    assert "lbw: MIDD" in said
    assert cli("verify", out, "-q").out == "same\n"
    weight = "{lbw: MIDD, strength: 0.7}"
    flags = ["--method", "task_arithmetic", "--base", base(), "--weight", weight]
    assert cli("merge", lora, *flags, "-o", folder / "adhoc.safetensors").code == 0
    assert same(load(out), load(folder / "adhoc.safetensors"))


# unbake


def ulps(first: Tensor, second: Tensor) -> int:
    """How many numbers of the dtype lie between two tensors' entries, at most."""

    def place(tensor: Tensor) -> Tensor:
        bits = tensor.reshape(-1).view(torch.int16).int()
        return torch.where(bits < 0, -(bits & 0x7FFF), bits)

    return int((place(first) - place(second)).abs().max())


def test_unbaked_is_the_model_from_before_up_to_rounding(
    folder: Path, style: Mapping[str, Pair], subject: Mapping[str, Pair]
) -> None:
    """Two ulps of the larger of both numbers, which is what each rounding may take away."""
    two = (f"{folder / 'style.safetensors'}:0.2", f"{folder / 'subject.safetensors'}:0.1")
    for dtype in ("float16", "float32"):
        baked, back = folder / f"{dtype}-baked.safetensors", folder / f"{dtype}-back.safetensors"
        done("bake", base(dtype), *two, "-o", baked)
        said = done("unbake", baked, *two, "-o", back)
        code = {"float16": "F16", "float32": "F32"}[dtype]
        assert f"what {code} rounded away when the LoRAs were baked does not come back" in said.err
        before, after, between = canonical(base(dtype)), canonical(back), canonical(baked)
        for key, tensor in before.items():
            if dtype == "float32":
                assert torch.allclose(after[key], tensor, rtol=0, atol=1e-6), key
                continue
            largest = torch.maximum(tensor.abs(), between[key].abs()).double()
            step = 2.0 ** torch.floor(torch.log2(largest.clamp(min=2.0**-14))) * 2.0**-10
            assert ((after[key].double() - tensor.double()).abs() <= step).all(), key
        assert not same(before, between)


def test_an_operator_cannot_be_subtracted(folder: Path) -> None:
    """A DoRA is baked as `merge` merges it; what it did depends on the weights before."""
    lora, out = LORAS / "pop_dora.safetensors", folder / "dora"
    done("bake", SAMPLES / "base", f"{lora}:0.5", "-o", out)
    said = cli("lora", "unbake", out, f"{lora}:0.5", "-o", folder / "no")
    assert said.code == 2
    assert "(LoRA" in said.err or "(DoRA" in said.err
    assert "cannot be subtracted again" in said.err
    assert not (folder / "no").exists()


# what is refused


def test_weights_after_the_last_colon() -> None:
    assert split_weight("a.safetensors:0.5") == ("a.safetensors", 0.5)
    assert split_weight("a.safetensors") == ("a.safetensors", 1.0)
    assert split_weight(r"C:\loras\a.safetensors") == (r"C:\loras\a.safetensors", 1.0)
    assert split_weight(r"C:\loras\a.safetensors:-1e-1") == (r"C:\loras\a.safetensors", -0.1)
    assert split_weight("a:b:2") == ("a:b", 2.0)
    with pytest.raises(InputError, match="'nan' is no weight"):
        split_weight("a:nan")


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["{style}:9"], "weight = 9.0 is outside -4..4"),
        (["{style}", "--block-weights", "1,0"], "this family takes 17 (BASE, IN01, IN02, … OUT11)"),
        (["{style}", "--block-weights", "OUTSALL"], "Did you mean 'OUTALL'?"),
        (["{style}", "--block-weights", "ALL", "--block-weights", "ALL"], "2 times for 1 LoRAs"),
        (["{other}"], "is a checkpoint, not a LoRA"),
        (["nowhere.safetensors"], "there is no model 'nowhere.safetensors'"),
        (["{style}", "--dtype", "float17"], "float17"),
        (["{xl}"], "not in Stable Diffusion 1"),
    ],
)
def test_refused(
    folder: Path, style: Mapping[str, Pair], tmp_path: Path, arguments: list[str], said: str
) -> None:
    xl = tmp_path / "xl.safetensors"
    narrow = FAMILIES.get("sdxl")
    random_lora(xl, narrow, narrow.specs("text_encoder_2"), targets="layers.3.*q_proj")
    places = {"style": folder / "style.safetensors", "other": words(1), "xl": xl}
    out = tmp_path / "x.safetensors"
    result = cli("lora", "bake", base(), *(a.format(**places) for a in arguments), "-o", out)
    assert result.code == 2
    assert said in result.err
    assert not out.exists()


def test_nothing_is_overwritten(folder: Path, style: Mapping[str, Pair], tmp_path: Path) -> None:
    out = edited(words(1), tmp_path / "x.safetensors")
    before = out.read_bytes()
    result = cli("lora", "bake", base(), folder / "style.safetensors", "-o", out)
    assert result.code == 2
    assert "--force" in result.err
    assert out.read_bytes() == before


# diffusers


@pytest.mark.filterwarnings("ignore")  # others' deprecations are not ours to mend
@pytest.mark.parametrize("name", ["torii_kohya", pytest.param("pop_locon", marks=pytest.mark.long)])
def test_the_picture_is_that_of_the_lora_at_work(tmp_path: Path, name: str) -> None:
    """The baked checkpoint denoises as plain diffusers does with the LoRA at that strength."""
    import diffusers

    done("bake", SAMPLES / "base", f"{LORAS / name}.safetensors:0.6", "--dtype", "float32", "-o",
         tmp_path / "baked")  # fmt: skip
    live: Any = diffusers.DiffusionPipeline.from_pretrained(SAMPLES / "base", dtype=torch.float32)
    live.load_lora_weights(LORAS, weight_name=f"{name}.safetensors", adapter_name="x")
    live.set_adapters("x", 0.6)
    with_lora = _draw(live)
    live.unload_lora_weights()
    baked: Any = diffusers.DiffusionPipeline.from_pretrained(tmp_path / "baked")
    assert (with_lora - _draw(baked)).abs().max() < 1e-3
    assert (with_lora - _draw(live)).abs().max() > 0.05


def _draw(pipeline: Any) -> Tensor:
    pipeline.set_progress_bar_config(disable=True)
    prompt = "a red torii on a white background"
    made = pipeline(prompt, num_inference_steps=3, output_type="pt",
                    generator=torch.Generator().manual_seed(1))  # fmt: skip
    return made.images
