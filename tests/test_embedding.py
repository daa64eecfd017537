"""Textual inversions: read in every form, merged by the formula, and loaded by diffusers."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import torch
from tiny import SAMPLES, Said, cli, load, metadata, save, words
from torch import Tensor

WIDTH = 96  # of the sample models' text encoder


def drawn(count: int, seed: int, width: int = WIDTH) -> Tensor:
    return torch.randn(count, width, generator=torch.Generator().manual_seed(seed)) * 0.05


CAT, DOG, LONG = drawn(2, 1), drawn(2, 2), drawn(3, 3)


def a1111(path: Path, vectors: Tensor, name: str = "cat") -> Path:
    """As A1111 writes its .pt files."""
    torch.save(
        {
            "string_to_token": {"*": 265},
            "string_to_param": {"*": torch.nn.Parameter(vectors)},
            "name": name,
            "step": 2000,
            "sd_checkpoint": "cc6cb27103",
            "sd_checkpoint_name": None,
        },
        path,
    )
    return path


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> Mapping[str, Path]:
    folder = tmp_path_factory.mktemp("embeddings")
    sdxl = {"clip_l": drawn(2, 4, 768), "clip_g": drawn(2, 5, 1280)}
    more = {"clip_l": drawn(1, 6, 768), "clip_g": drawn(1, 7, 1280)}
    torch.save({"<bird>": CAT[0]}, folder / "bird.bin")
    return {
        "pt": a1111(folder / "cat.pt", CAT),
        "params": save(folder / "params.safetensors", {"emb_params": DOG}),
        "long": save(folder / "long.safetensors", {"emb_params": LONG}),
        "token": save(folder / "token.safetensors", {"<dog>": DOG.half()}),
        "single": save(folder / "single.safetensors", {"<one>": DOG[0]}),
        "sdxl": save(folder / "sdxl.safetensors", sdxl),
        "sdxl one": save(folder / "more.safetensors", more),
        "bin": folder / "bird.bin",
    }


def merge(*arguments: object) -> Said:
    said = cli("embedding", "merge", *arguments)
    assert said.code == 0, said.err
    return said


@pytest.mark.parametrize(
    ("name", "form", "token", "vectors", "widths"),
    [
        ("pt", "A1111", "cat", 2, {"": WIDTH}),
        ("params", "emb_params", "", 2, {"": WIDTH}),
        ("token", "diffusers", "<dog>", 2, {"": WIDTH}),
        ("single", "diffusers", "<one>", 1, {"": WIDTH}),
        ("bin", "diffusers", "<bird>", 1, {"": WIDTH}),
        ("sdxl", "SDXL", "", 2, {"clip_l": 768, "clip_g": 1280}),
    ],
)
def test_inspect(
    files: Mapping[str, Path], name: str, form: str, token: str, vectors: int,
    widths: dict[str, int],
) -> None:  # fmt: skip
    found = cli("inspect", files[name], "--allow-pickle", "--json").data["files"][0]
    assert (found["kind"], found["form"], found["token"]) == ("embedding", form, token)
    assert (found["vectors"], found["widths"]) == (vectors, widths)
    said = cli("inspect", files[name], "--allow-pickle").out
    assert f"textual inversion in {form} form" in said
    if name == "pt":
        assert found["metadata"]["step"] == 2000
        assert found["lengths"]["*"] == pytest.approx(CAT.norm(dim=1).tolist(), abs=1e-4)


def test_concatenated_vectors_follow_each_other(files: Mapping[str, Path], tmp_path: Path) -> None:
    out = tmp_path / "x.safetensors"
    merge(files["params"], files["pt"], files["token"], "--allow-pickle", "--method",
          "concatenate", "-o", out)  # fmt: skip
    assert torch.equal(load(out)["emb_params"], torch.cat([DOG, CAT, DOG.half().float()]))
    two = files["sdxl"], files["sdxl one"]
    merge(*two, "--method", "concatenate", "-o", out, "--force")
    parts = [load(path) for path in two]
    for key, tensor in load(out).items():
        assert torch.equal(tensor, torch.cat([part[key] for part in parts]))


@pytest.mark.parametrize(
    ("weights", "shares"), [((), (0.5, 0.5)), (("--weight", "3,1"), (0.75, 0.25))]
)
def test_the_average(
    files: Mapping[str, Path], tmp_path: Path, weights: tuple[str, ...], shares: tuple[float, ...]
) -> None:
    out = tmp_path / "x.safetensors"
    merge(
        files["params"], files["pt"], "--allow-pickle", "--method", "average", *weights, "-o", out
    )
    wanted = shares[0] * DOG.double() + shares[1] * CAT.double()
    torch.testing.assert_close(load(out)["emb_params"].double(), wanted, rtol=0, atol=1e-8)
    assert '"method": "average"' in metadata(out)["sdmerge.embedding"]


def test_the_form_is_that_of_the_first(files: Mapping[str, Path], tmp_path: Path) -> None:
    """A pickle becomes the .safetensors that the same tools read; a token and a dtype stay."""
    out = tmp_path / "x.safetensors"
    flags = ["--allow-pickle", "--method", "average", "-o", out, "--force"]
    merge(files["pt"], files["token"], *flags)
    assert {name: t.dtype for name, t in load(out).items()} == {"emb_params": torch.float32}
    merge(files["token"], files["pt"], *flags)
    assert {name: t.dtype for name, t in load(out).items()} == {"<dog>": torch.float16}
    merge(files["token"], files["pt"], *flags, "--token", "<pet>", "--dtype", "bfloat16")
    assert {name: t.dtype for name, t in load(out).items()} == {"<pet>": torch.bfloat16}


@pytest.mark.parametrize(
    ("names", "flags", "said"),
    [
        (["params", "long"], ["average"], "params.safetensors has 2, long.safetensors has 3"),
        (["params", "sdxl"], ["average"], "its vectors are of width clip_g 1280 and clip_l 768"),
        (["params", "pt"], ["average"], "is a pickle"),
        (["params", "token"], ["average", "--weight", "1"], "1 weights are given for 2"),
        (["params", "token"], ["average", "--weight", "1,-1"], "the weights sum to 0"),
        (["params", "token"], ["average", "--weight", "1,x"], "numbers with commas between"),
        (["params", "token"], ["average", "--weight", "nan,1"], "the weights sum to 0"),
        (["params", "token"], ["concatenate", "--weight", "1,1"], "belongs to --method average"),
        (["long"] * 26, ["concatenate"], "78 vectors are more than the 75 places"),
        (["params", "model"], ["average"], "is not a textual inversion"),
        (["params", "gone"], ["average"], "there is no such file"),
        (["huge", "huge"], ["average", "--dtype", "float16"], "too large for its dtype"),
    ],
)
def test_refused(
    files: Mapping[str, Path], tmp_path: Path, names: list[str], flags: list[str], said: str
) -> None:
    huge = save(tmp_path / "huge.safetensors", {"emb_params": torch.full((1, 8), 1e6)})
    places = {**files, "model": words(1), "gone": tmp_path / "gone.safetensors", "huge": huge}
    out = tmp_path / "x.safetensors"
    listed = [places[name] for name in names]
    result = cli("embedding", "merge", *listed, "--method", *flags, "-o", out)
    assert result.code == 2
    assert said in result.err
    assert not out.exists()


def test_nothing_is_overwritten(files: Mapping[str, Path], tmp_path: Path) -> None:
    out = save(tmp_path / "x.safetensors", {"a": CAT})
    before = out.read_bytes()
    two = files["params"], files["token"]
    assert cli("embedding", "merge", *two, "--method", "average", "-o", out).code == 2
    assert out.read_bytes() == before
    named = cli("embedding", "merge", *two, "--method", "average", "-o", tmp_path / "x.pt")
    assert "ends with .safetensors" in named.err


# diffusers


@pytest.fixture(scope="module")
def text() -> tuple[Any, Any]:
    import transformers

    folder = SAMPLES / "base"
    tokenizer: Any = transformers.CLIPTokenizer.from_pretrained(folder / "tokenizer")
    encoder = transformers.CLIPTextModel.from_pretrained(folder / "text_encoder")
    return tokenizer, encoder


@pytest.mark.filterwarnings("ignore")  # others' deprecations are not ours to mend
@pytest.mark.parametrize("first", ["token", "params"])
def test_diffusers_loads_it(
    files: Mapping[str, Path], tmp_path: Path, text: tuple[Any, Any], first: str
) -> None:
    import diffusers

    tokenizer, encoder = text
    names = ("vae", "unet", "safety_checker", "feature_extractor")
    pipeline: Any = diffusers.StableDiffusionPipeline(
        tokenizer=tokenizer, text_encoder=encoder, scheduler=diffusers.DDIMScheduler(),
        requires_safety_checker=False, **dict.fromkeys(names),
    )  # fmt: skip
    out = tmp_path / "x.safetensors"
    merge(files[first], files["long"], "--method", "concatenate", "--dtype", "float32", "-o", out)
    token = "<dog>" if first == "token" else "<params>"
    more = {} if first == "token" else {"token": token}
    pipeline.load_textual_inversion(str(tmp_path), weight_name=out.name, **more)
    ids = tokenizer.convert_tokens_to_ids([token, *(f"{token}_{n}" for n in range(1, 5))])
    held = pipeline.text_encoder.get_input_embeddings().weight[ids]
    vectors = DOG.half().float() if first == "token" else DOG
    assert torch.equal(held, torch.cat([vectors, LONG]))
    assert pipeline.maybe_convert_prompt(f"a {token}", tokenizer).count(token.strip("<>")) == 5
