"""Bad input of every kind: a message that says what, where and what to do, and no file left."""

from __future__ import annotations

import contextlib
import json
import resource
import shutil
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
from tiny import (
    Said,
    cli,
    copy,
    edited,
    listing,
    load,
    model,
    overwrite,
    parts,
    recipe,
    save,
    unet,
    words,
)

from sdmerge.cli.output import Output

LAYER = "model.layers.{}.self_attn.q_proj.weight"


@pytest.fixture(scope="module")
def three(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """Three small models of no known family, float16."""
    folder = tmp_path_factory.mktemp("three")
    return [little(folder / f"{name}.safetensors", seed) for seed, name in enumerate("abc")]


def little(path: Path, seed: int) -> Path:
    draw = torch.Generator().manual_seed(seed)
    return save(path, {LAYER.format(n): torch.randn(8, 8, generator=draw).half() for n in range(4)})


def refused(said: Said, *phrases: str, code: int = 2) -> None:
    """The exit code, each phrase in the complaint, nothing on stdout, and no traceback."""
    assert said.code == code, said.err
    assert "bug of ours" not in said.err
    assert "Traceback" not in said.err
    assert said.out == ""
    for phrase in phrases:
        assert phrase in said.err, f"{phrase!r} not in {said.err!r}"


def linear(*models: object, out: object, extra: tuple[object, ...] = ()) -> Said:
    return cli("merge", *models, "--method", "linear", "-o", out, *extra)


# models that do not fit together


def test_wrong_family(tmp_path: Path) -> None:
    said = linear(unet(), model("sdxl", components=("unet",)), out=tmp_path / "x.safetensors")
    refused(said, "'sdxl-unet-float16-1' is Stable Diffusion XL", "is Stable Diffusion 1")
    refused(said, "no tensors in common")
    assert listing(tmp_path) == []


def test_nine_channels_against_four(tmp_path: Path) -> None:
    inpaint = model("sd1", components=("unet",), variant="inpaint")
    said = linear(unet(), inpaint, out=tmp_path / "x.safetensors")
    refused(said, "1 tensor of 686", "unet.conv_in.weight", "4, 3, 3] against", "9, 3, 3]")
    refused(said, f"'{inpaint.stem}' takes 9 input channels", "inpainting", "with its kind")
    assert listing(tmp_path) == []


def test_other_widths(tmp_path: Path) -> None:
    name = "cond_stage_model.transformer.text_model.embeddings.token_embedding.weight"
    cut = edited(words(2), tmp_path / "in" / "cut.safetensors", **{name: load(words(2))[name][:9]})
    said = linear(words(), cut, out=tmp_path / "x.safetensors")
    refused(said, "1 tensor of 36", "token_embedding.weight [49408", "[9,", "models of one size")
    assert listing(tmp_path) == ["in", "in/cut.safetensors"]


def test_missing_tensor(tmp_path: Path) -> None:
    gone = "model.diffusion_model.middle_block.1.norm.weight"
    broken = edited(unet(2), tmp_path / "in" / "broken.safetensors", **{gone: None})
    said = linear(unet(), broken, out=tmp_path / "x.safetensors")
    refused(said, str(broken), "lacks 1 tensor (1 of unet;", "fetch it again")
    refused(said, "unet.mid_block.attentions.0.norm.weight")
    assert listing(tmp_path) == ["in", "in/broken.safetensors"]


def test_missing_tensor_of_a_component_that_is_taken(tmp_path: Path) -> None:
    gone = "cond_stage_model.transformer.text_model.final_layer_norm.bias"
    broken = edited(words(2), tmp_path / "in" / "broken.safetensors", **{gone: None})
    text = f"""
merge_method: linear
models: [{{model: {words()}}}]
components: {{text_encoder: {{take: {broken}}}}}
"""
    said = cli("merge", recipe(tmp_path / "r.yaml", text), "-o", tmp_path / "x.safetensors")
    refused(said, str(broken), "lacks 1 tensor", "text_encoder.final_layer_norm.bias")
    assert "x.safetensors" not in listing(tmp_path)


def test_missing_tensor_of_an_unknown_family(three: list[Path], tmp_path: Path) -> None:
    less = edited(three[1], tmp_path / "in" / "less.safetensors", **{LAYER.format(2): None})
    said = linear(three[0], less, out=tmp_path / "x.safetensors")
    refused(said, "'less' lacks 1 tensor that 'a' has", LAYER.format(2))


# files that are broken


@pytest.mark.parametrize("kept", [0, 5, 100, -1])
def test_truncated(three: list[Path], tmp_path: Path, kept: int) -> None:
    cut = copy(three[1], tmp_path / "in" / "cut.safetensors")
    with cut.open("r+b") as file:
        file.truncate(kept if kept >= 0 else cut.stat().st_size + kept)
    said = linear(three[0], cut, out=tmp_path / "x.safetensors")
    reason = {
        0: "only 0 bytes long",
        5: "only 5 bytes long",
        100: "but only 92 bytes follow",
        -1: "is truncated: 1 of",
    }
    refused(said, str(cut), reason[kept])
    assert listing(tmp_path) == ["in", "in/cut.safetensors"]


def test_header_longer_than_the_file(three: list[Path], tmp_path: Path) -> None:
    broken = tmp_path / "in.safetensors"
    broken.write_bytes((1 << 40).to_bytes(8, "little") + three[1].read_bytes()[8:])
    said = linear(three[0], broken, out=tmp_path / "x.safetensors")
    refused(said, str(broken), f"header is {1 << 40} bytes long", "Download it again")


def test_overlapping_offsets(three: list[Path], tmp_path: Path) -> None:
    header, start = parts(three[1])
    header[LAYER.format(2)]["data_offsets"] = header[LAYER.format(1)]["data_offsets"]
    text = json.dumps(header).encode()
    broken = tmp_path / "in.safetensors"
    data = three[1].read_bytes()[start:]
    broken.write_bytes(len(text).to_bytes(8, "little") + text + data)
    said = linear(three[0], broken, out=tmp_path / "x.safetensors")
    refused(said, str(broken), f"'{LAYER.format(1)}' and '{LAYER.format(2)}' overlap")


@pytest.mark.parametrize(
    ("content", "phrase"),
    [
        (b"version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 1\n", "git lfs pull"),
        (b"<!DOCTYPE html><html><body>Log in</body></html>", "web page"),
        (b"PK\x03\x04" + bytes(60), "Rename it to .ckpt"),
    ],
)
def test_something_else_under_the_name(
    three: list[Path], tmp_path: Path, content: bytes, phrase: str
) -> None:
    fake = tmp_path / "fake.safetensors"
    fake.write_bytes(content)
    refused(linear(three[0], fake, out=tmp_path / "x.safetensors"), str(fake), phrase)


def test_folder_whose_config_is_broken(tmp_path: Path) -> None:
    folder = copy(model("sd1", 1, "diffusers", components=("text_encoder",)), tmp_path / "in")
    (folder / "text_encoder" / "config.json").write_text("{not json")
    said = linear(folder, out=tmp_path / "out")
    refused(said, str(folder / "text_encoder" / "config.json"), "not JSON")
    assert sorted(item.name for item in tmp_path.iterdir()) == ["in"]


# numbers that are none


@pytest.mark.parametrize("value", [float("nan"), float("inf"), float("-inf")], ids=str)
@pytest.mark.parametrize("method", ["linear", "slerp", "ties", "dare_linear"])
def test_unsound_input(three: list[Path], tmp_path: Path, method: str, value: float) -> None:
    bad = copy(three[1], tmp_path / "in" / "bad.safetensors")
    overwrite(bad, LAYER.format(2), value)
    base = ["--base", three[2]] if method in ("ties", "dare_linear") else []
    said = cli("merge", three[0], bad, "--method", method, *base, "-o", tmp_path / "x.safetensors")
    refused(said, f"bad: '{LAYER.format(2)}' holds NaN or infinite numbers", "is damaged")
    assert listing(tmp_path) == ["in", "in/bad.safetensors"]


def test_unsound_base(three: list[Path], tmp_path: Path) -> None:
    bad = copy(three[2], tmp_path / "in" / "bad.safetensors")
    overwrite(bad, LAYER.format(0), float("nan"), 0)
    said = cli(
        "merge", three[0], "--method", "task_arithmetic", "--base", bad, "-o", tmp_path / "out"
    )
    refused(said, f"base: '{LAYER.format(0)}' holds NaN")
    assert listing(tmp_path) == ["in", "in/bad.safetensors"]


@pytest.mark.parametrize("dtype", [(), ("--dtype", "float32")], ids=["copied", "cast"])
def test_unsound_tensor_that_is_only_copied(tmp_path: Path, dtype: tuple[str, ...]) -> None:
    """A VAE is taken whole, and a result with a NaN in it draws black pictures."""
    both = ("vae", "text_encoder")
    bad = copy(model("sd1", 1, components=both), tmp_path / "in" / "bad.safetensors")
    overwrite(bad, "first_stage_model.decoder.conv_out.bias", float("nan"))
    said = linear(
        bad, model("sd1", 2, components=both), out=tmp_path / "x.safetensors", extra=dtype
    )
    refused(said, "bad: 'vae.decoder.conv_out.bias' holds NaN", "Take the component from another")
    assert listing(tmp_path) == ["in", "in/bad.safetensors"]


def test_unsound_number_that_nobody_reads(tmp_path: Path) -> None:
    """The way out that the message offers works."""
    both = ("vae", "text_encoder")
    bad = copy(model("sd1", 1, components=both), tmp_path / "bad.safetensors")
    overwrite(bad, "first_stage_model.decoder.conv_out.bias", float("nan"))
    good = model("sd1", 2, components=both)
    text = f"""
merge_method: linear
models: [{{model: {bad}}}, {{model: {good}}}]
components: {{vae: {{take: {good.stem}}}}}
"""
    said = cli("merge", recipe(tmp_path / "r.yaml", text), "-o", tmp_path / "x.safetensors", "-q")
    assert said.code == 0, said.err
    assert all(tensor.isfinite().all() for tensor in load(tmp_path / "x.safetensors").values())


def test_overflow_of_the_result(tmp_path: Path) -> None:
    for name in ("a", "b"):
        ones = torch.full((8, 8), 40000.0).half()
        save(tmp_path / f"{name}.safetensors", {LAYER.format(0): ones})
    arguments = ["merge", tmp_path / "a.safetensors", tmp_path / "b.safetensors"]
    arguments += ["--method", "linear", "--normalize", "false", "-o", tmp_path / "x.safetensors"]
    said = cli(*arguments)
    refused(said, f"'{LAYER.format(0)}' reaches 80000; float16 ends at 65504", "dtype: bfloat16")
    assert "x.safetensors" not in str(listing(tmp_path))
    assert cli(*arguments, "--dtype", "bfloat16").code == 0
    result = load(tmp_path / "x.safetensors")[LAYER.format(0)]
    assert torch.equal(result, torch.full((8, 8), 80000.0).bfloat16())


def test_overflow_of_a_copy(tmp_path: Path) -> None:
    big = torch.full((8, 8), 70000.0)
    path = save(tmp_path / "a.safetensors", {LAYER.format(0): big})
    said = linear(path, out=tmp_path / "x.safetensors", extra=("--dtype", "float16"))
    refused(said, "reaches 70000; float16 ends at 65504")


def test_the_largest_number_is_no_overflow(tmp_path: Path) -> None:
    """What rounds down to the largest number of float16 is stored, as IEEE 754 has it."""
    path = save(tmp_path / "a.safetensors", {LAYER.format(0): torch.tensor([65519.0, -65519.0])})
    assert linear(path, out=tmp_path / "x.safetensors", extra=("--dtype", "float16")).code == 0
    assert load(tmp_path / "x.safetensors")[LAYER.format(0)].tolist() == [65504.0, -65504.0]
    path = save(tmp_path / "b.safetensors", {LAYER.format(0): torch.tensor([65520.0])})
    refused(linear(path, out=tmp_path / "y.safetensors", extra=("--dtype", "float16")), "65520")


# recipes and flags


GOOD = """merge_method: ties
base_model: {base}
models:
  - model: {a}
    parameters:
      weight: 0.5
parameters:
  density: 0.5
"""


@pytest.mark.parametrize(
    ("wrong", "right", "line", "phrases"),
    [
        ("ties", "tiess", 1, ["no merge method 'tiess'", "Did you mean 'ties'"]),
        ("density", "densty", 8, ["no parameter 'densty'", "Did you mean 'density'"]),
        ("base_model", "base_modle", 2, ["no key 'base_modle'", "Did you mean 'base_model'"]),
        ("density: 0.5", "density: 1.5", 8, ["density = 1.5 is outside 0..1"]),
        ("density: 0.5", "density: high", 8, ["density = 'high' should be a number"]),
        ("weight: 0.5", "weight: -4.5", 6, ["weight = -4.5 is outside -4..4"]),
        ("weight: 0.5", "weight: {preset: NOPE}", 6, ["no preset 'NOPE'"]),
        ("weight: 0.5", "weight: [{filter: IN77, value: 1}]", 6, ["'IN77' takes no tensor"]),
        ("weight: 0.5", "weight: 0.5\n   oops", 7, ["not YAML"]),
        ("models:", "models: []\nx:", 4, ["no key 'x'"]),
    ],
)
def test_recipe(
    three: list[Path], tmp_path: Path, wrong: str, right: str, line: int, phrases: list[str]
) -> None:
    text = GOOD.format(base=three[2], a=three[0])
    assert cli("plan", recipe(tmp_path / "good.yaml", text)).code == 0
    path = recipe(tmp_path / "bad.yaml", text.replace(wrong, right, 1))
    said = cli("merge", path, "-o", tmp_path / "x.safetensors")
    refused(said, f"{path}:{line}", *phrases)
    assert sorted(listing(tmp_path)) == ["bad.yaml", "good.yaml"]


def test_filter_that_is_shadowed(three: list[Path], tmp_path: Path) -> None:
    rules = "[{filter: self_attn, value: 1}, {filter: layers.1, value: 0.5}, {value: 0}]"
    text = GOOD.format(base=three[2], a=three[0]).replace("weight: 0.5", f"weight: {rules}")
    path = recipe(tmp_path / "r.yaml", text)
    said = cli("merge", path, "-o", tmp_path / "x.safetensors")
    refused(said, f"{path}:6", "'layers.1' is shadowed", "all its 1 tensors", "Move it above")


@pytest.mark.parametrize(
    ("flags", "phrases"),
    [
        ((), ["needs --method", "--method linear"]),
        (("--method", "linaer"), ["no merge method 'linaer'", "Did you mean 'linear'"]),
        (("--method", "linear", "--t", "0.3"), ["linear has no parameter 't'", "It takes: weight"]),
        (("--method", "slerp", "--t", "1.3"), ["t = 1.3 is outside 0..1", "0 is A, 1 is B"]),
        (("--method", "slerp", "--t", "0.1,0.2"), ["--t has 2 values", "it takes one value"]),
        (("--method", "slerp", "--norm", "rwa"), ["'rwa'", "one of lerp, raw", "'raw'"]),
        (("--method", "linear", "--weight", "1,2,3"), ["--weight has 3 values", "one value or 2"]),
        (("--method", "linear", "--weight", "much"), ["weight = 'much' should be a number"]),
        (("--method", "linear", "--weight", "nan"), ["weight = nan is outside"]),
        (("--method", "ties"), ["ties needs a base_model", "base_model: PATH"]),
        (("--method", "linear", "--dtype", "flaot16"), ["flaot16", "float16"]),
        (("--method", "linear", "--set", "parameters.weigth=1"), ["'weigth'", "'weight'"]),
        (("--method", "linear", "--set", "models[7].name=x"), ["models[7]", "0 to 1: a, b"]),
        (("--method", "linear", "--set", "weight"), ["PATH=VALUE", "parameters.t=0.3"]),
        (("--method", "linear", "--threads", "0"), ["--threads"]),
        (("--method", "linear", "--wieght", "1"), ["--wieght", "--weight"]),
        (("--method", "linear", "--max-shard-size", "big"), ["'big' is not a size", "5GB"]),
    ],
)
def test_flags(
    three: list[Path], tmp_path: Path, flags: tuple[str, ...], phrases: list[str]
) -> None:
    refused(cli("merge", *three[:2], *flags, "-o", tmp_path / "out"), *phrases)
    assert listing(tmp_path) == []


def test_a_recipe_with_flags_of_an_ad_hoc_merge(three: list[Path], tmp_path: Path) -> None:
    path = recipe(tmp_path / "r.yaml", GOOD.format(base=three[2], a=three[0]))
    said = cli("merge", path, "--weight", "1", "--method", "ties", "-o", tmp_path / "x.safetensors")
    refused(said, "--method, --weight belong to an ad hoc merge", "--set")
    said = cli("merge", path, three[1], "-o", tmp_path / "x.safetensors")
    refused(said, "one recipe, or models, not both")


def test_a_model_that_is_not_there(three: list[Path], tmp_path: Path) -> None:
    """A name like this may be one on the hub, which is out of reach here."""
    said = linear(three[0], "models/nothing", out=tmp_path / "x.safetensors")
    refused(said, "there is no model 'models/nothing'", str(Path.cwd() / "models"))
    refused(cli("merge", tmp_path / "no.yaml", "-o", tmp_path / "x"), "no.yaml", "no such file")
    refused(linear(three[0], tmp_path, out=tmp_path / "x"), str(tmp_path), "holds no weights")


def test_pickles_are_not_read_unasked(three: list[Path], tmp_path: Path) -> None:
    path = tmp_path / "old.ckpt"
    torch.save({"state_dict": load(three[1])}, path)
    said = linear(three[0], path, out=tmp_path / "x.safetensors")
    refused(said, str(path), "--allow-pickle")
    said = linear(three[0], path, out=tmp_path / "x.safetensors", extra=("--allow-pickle",))
    assert said.code == 0, said.err
    both = [load(path) for path in three[:2]]
    result = load(tmp_path / "x.safetensors")
    for name, tensor in result.items():
        mean = (both[0][name].float() + both[1][name].float()) / 2
        assert torch.equal(tensor, mean.half())


def test_layers_are_not_cut(three: list[Path], tmp_path: Path) -> None:
    text = f"""
merge_method: linear
slices:
  - sources:
      - {{model: {three[0]}, layer_range: [0, 3]}}
      - {{model: {three[1]}, layer_range: [0, 3]}}
"""
    said = cli("merge", recipe(tmp_path / "r.yaml", text), "-o", tmp_path / "x.safetensors")
    refused(said, "layer_range [0, 3]", "it has 4 layers", "not re-ordered")


# outputs


@pytest.mark.parametrize(
    ("out", "flags", "phrases"),
    [
        ("x.safetensors", ["--layout", "diffusers"], ["layout diffusers writes a folder"]),
        ("folder", ["--layout", "single-file"], ["single-file writes NAME.safetensors"]),
        ("x.ckpt", [], ["pickles are not written", "NAME.safetensors"]),
    ],
)
def test_name_against_layout(
    three: list[Path], tmp_path: Path, out: str, flags: list[str], phrases: list[str]
) -> None:
    refused(linear(*three[:2], out=tmp_path / out, extra=tuple(flags)), *phrases)
    assert listing(tmp_path) == []


def test_layout_of_the_recipe_against_the_name(three: list[Path], tmp_path: Path) -> None:
    text = GOOD.format(base=three[2], a=three[0]) + "output: {layout: diffusers}\n"
    said = cli("merge", recipe(tmp_path / "r.yaml", text), "-o", tmp_path / "x.safetensors")
    refused(said, "layout diffusers writes a folder", "Change -o or the layout")


def test_output_file_exists(three: list[Path], tmp_path: Path) -> None:
    out = tmp_path / "x.safetensors"
    out.write_text("mine")
    refused(linear(*three[:2], out=out), str(out), "exists already", "--force")
    assert out.read_text() == "mine"
    assert linear(*three[:2], out=out, extra=("--force",)).code == 0
    assert set(load(out)) == set(load(three[0]))
    assert listing(tmp_path) == ["x.safetensors"]


def test_output_folder_exists(three: list[Path], tmp_path: Path) -> None:
    out = tmp_path / "model"
    assert linear(three[0], out=out).code == 0
    (out / "notes.txt").write_text("of the old one")
    before = (out / "model.safetensors").read_bytes()
    refused(linear(three[1], out=out), str(out), "exists already", "--force")
    assert (out / "model.safetensors").read_bytes() == before
    assert linear(three[1], out=out, extra=("--force",)).code == 0
    assert listing(tmp_path) == ["model", "model/model.safetensors", "model/sdmerge.json"]
    assert torch.equal(load(out)[LAYER.format(0)], load(three[1])[LAYER.format(0)])


@pytest.mark.parametrize("name", ["thesis.txt", "config.json"])
def test_force_deletes_nothing_but_models(three: list[Path], tmp_path: Path, name: str) -> None:
    """Many a project has a config.json, and is no model for that."""
    precious = tmp_path / "work" / name
    precious.parent.mkdir()
    precious.write_text("{}")
    said = linear(*three[:2], out=precious.parent, extra=("--force",))
    refused(said, str(precious.parent), "not a model's folder", "choose another name")
    assert precious.read_text() == "{}"
    assert listing(tmp_path) == ["work", f"work/{name}"]


def test_a_folder_where_a_file_should_be_and_back(three: list[Path], tmp_path: Path) -> None:
    (tmp_path / "x.safetensors").mkdir()
    said = linear(*three[:2], out=tmp_path / "x.safetensors", extra=("--force",))
    refused(said, "is a folder")
    (tmp_path / "y").write_text("mine")
    refused(linear(*three[:2], out=tmp_path / "y", extra=("--force",)), "is a file, not a folder")
    assert (tmp_path / "y").read_text() == "mine"


def test_empty_folder_is_free_to_use(three: list[Path], tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    assert linear(*three[:2], out=tmp_path / "out").code == 0
    assert listing(tmp_path / "out") == ["model.safetensors", "sdmerge.json"]


# machines that are too small


@pytest.mark.parametrize("out", ["x.safetensors", "folder"])
def test_disk_too_small(
    three: list[Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, out: str
) -> None:
    monkeypatch.setattr(shutil, "disk_usage", lambda path: shutil._ntuple_diskusage(100, 1, 99))
    said = linear(*three[:2], out=tmp_path / out)
    refused(said, str(tmp_path / out), "needs", "99 bytes free", "Free some space", code=3)
    assert listing(tmp_path) == []


@contextlib.contextmanager
def files_of_at_most(size: int) -> Iterator[None]:
    """The system itself refuses to write more, in the middle of a merge."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    before = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
        signal.signal(signal.SIGXFSZ, before)


@pytest.mark.parametrize("out", ["x.safetensors", "folder"])
def test_disk_that_takes_no_more(tmp_path: Path, out: str) -> None:
    with files_of_at_most(1 << 18):
        said = linear(words(1), words(2), out=tmp_path / out)
    refused(said, str(tmp_path), "no file that large", "another disk", code=3)
    assert listing(tmp_path) == []


def test_folder_that_may_not_be_written(three: list[Path], tmp_path: Path) -> None:
    said = linear(*three[:2], out=Path("/proc/nobody/x.safetensors"))
    assert said.code in (2, 3)
    assert "/proc/nobody" in said.err
    assert "bug of ours" not in said.err


# ctrl-C


@pytest.mark.parametrize("out", ["x.safetensors", "folder"])
@pytest.mark.parametrize("force", [False, True])
def test_control_c(
    three: list[Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, out: str, force: bool
) -> None:
    """The signal comes while tensors are being written."""
    if force:
        assert linear(three[0], out=tmp_path / out).code == 0
    before = {name: (tmp_path / name).read_bytes() for name in files(tmp_path)}

    def advance(done: int, total: int, *_: object) -> None:
        if 0 < done < total:
            assert any(".partial" in name for name in listing(tmp_path))
            signal.raise_signal(signal.SIGINT)

    monkeypatch.setattr(Output, "_lines", lambda self, what: advance)
    extra = ("--force",) if force else ()
    # a worker of a parallel test run ignores the signal
    handler = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        refused(linear(*three[1:], out=tmp_path / out, extra=extra), "stopped", code=130)
    finally:
        signal.signal(signal.SIGINT, handler)
    assert {name: (tmp_path / name).read_bytes() for name in files(tmp_path)} == before


def files(folder: Path) -> list[str]:
    return [name for name in listing(folder) if (folder / name).is_file()]
