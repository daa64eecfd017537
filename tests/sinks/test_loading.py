"""Every result loads with plain diffusers, with the very numbers of the merge."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import torch
from tiny import cli, load, merged, model, planned, same
from torch import Tensor

pytestmark = pytest.mark.filterwarnings("ignore")  # others' deprecations are not ours to mend


@pytest.fixture(scope="module")
def diffusers() -> Any:
    """The library, which takes its time."""
    import diffusers

    diffusers.utils.logging.disable_progress_bar()
    diffusers.utils.logging.set_verbosity_error()
    return diffusers


@pytest.fixture(scope="module", params=["sd1", "sdxl"])
def family(request: pytest.FixtureRequest) -> str:
    return request.param


@pytest.fixture(scope="module")
def expected(family: str) -> dict[str, Tensor]:
    """What a merge of two models of the family gives, by canonical key."""
    models = [{"model": str(model(family, seed, "diffusers"))} for seed in (1, 2)]
    return merged(planned({"merge_method": "linear", "models": models, "dtype": "float32"}))


@pytest.fixture(scope="module")
def folder(family: str, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return merge(family, tmp_path_factory.mktemp(family) / "folder")


def merge(family: str, out: Path, *flags: str) -> Path:
    two = [model(family, seed, "diffusers") for seed in (1, 2)]
    said = cli("merge", *two, "--method", "linear", "--dtype", "float32", "-o", out, *flags)
    assert said.code == 0, said.err
    return out


def weights(pipeline: Any) -> dict[str, Tensor]:
    """A pipeline's tensors by canonical key."""
    found: dict[str, Tensor] = {}
    for name in ("unet", "vae", "text_encoder", "text_encoder_2"):
        if (network := getattr(pipeline, name, None)) is not None:
            for key, tensor in network.state_dict().items():
                found[f"{name}.{key.removeprefix('text_model.')}"] = tensor
    return {key: tensor for key, tensor in found.items() if not key.endswith("position_ids")}


def picture(pipeline: Any) -> Tensor:
    pipeline.set_progress_bar_config(disable=True)
    noise = torch.Generator().manual_seed(1)
    shown = pipeline(
        "a torii at dawn", height=64, width=64, num_inference_steps=1, generator=noise,
        guidance_scale=2.0, output_type="pt",
    )  # fmt: skip
    return shown.images[0]


def test_folder(diffusers: Any, folder: Path, expected: Mapping[str, Tensor]) -> None:
    pipeline = diffusers.DiffusionPipeline.from_pretrained(folder, dtype=torch.float32)
    assert same(weights(pipeline), expected)
    shown = picture(pipeline)
    assert shown.shape == (3, 64, 64)
    assert shown.isfinite().all()


def test_shards(
    diffusers: Any, family: str, expected: Mapping[str, Tensor], tmp_path: Path
) -> None:
    out = merge(family, tmp_path / "out", "--max-shard-size", "300kB")
    assert len(list(out.glob("unet/*-of-*.safetensors"))) > 1
    assert len(list(out.glob("text_encoder/*-of-*.safetensors"))) > 1
    pipeline = diffusers.DiffusionPipeline.from_pretrained(out, dtype=torch.float32)
    assert same(weights(pipeline), expected)


def test_single_file(
    diffusers: Any, family: str, folder: Path, expected: Mapping[str, Tensor], tmp_path: Path
) -> None:
    """Through diffusers' own converters, which know nothing of ours."""
    out = merge(family, tmp_path / "x.safetensors")
    name = {"sd1": "StableDiffusionPipeline", "sdxl": "StableDiffusionXLPipeline"}[family]
    pipeline = getattr(diffusers, name).from_single_file(
        str(out), config=str(folder), local_files_only=True, dtype=torch.float32
    )
    found = weights(pipeline)
    assert same(found, expected)


def test_open_clip_is_fused_and_turned_as_open_clip_has_it(tmp_path: Path) -> None:
    """The second text encoder of a single file, put together by hand from the folder's."""
    both = ("text_encoder", "text_encoder_2")
    folder = load(model("sdxl", 1, "diffusers", components=both))
    out = tmp_path / "x.safetensors"
    assert cli("convert", model("sdxl", 1, "diffusers", components=both), "-o", out).code == 0
    file = load(out)
    head = "conditioner.embedders.1.model."
    own = "text_encoder_2.text_model."
    layer = f"{own}encoder.layers.1.self_attn."
    for kind in ("weight", "bias"):
        fused = torch.cat([folder[f"{layer}{name}_proj.{kind}"] for name in "qkv"])
        assert torch.equal(file[f"{head}transformer.resblocks.1.attn.in_proj_{kind}"], fused)
    projection = folder["text_encoder_2.text_projection.weight"]
    assert torch.equal(file[f"{head}text_projection"], projection.T)
    positions = folder[f"{own}embeddings.position_embedding.weight"]
    assert torch.equal(file[f"{head}positional_embedding"], positions)
    assert not [name for name in file if name.startswith(f"{head}text_model")]


def test_refiner_loads(diffusers: Any, tmp_path: Path) -> None:
    out = tmp_path / "out"
    assert (
        cli("convert", model("sdxl-refiner", 1, "diffusers"), "-o", out, "--dtype", "float32").code
        == 0
    )
    pipeline = diffusers.DiffusionPipeline.from_pretrained(out, dtype=torch.float32)
    assert type(pipeline).__name__ == "StableDiffusionXLImg2ImgPipeline"
    assert pipeline.text_encoder is None
    assert pipeline.unet.config.block_out_channels == [8, 16, 24, 24]


def test_sd2_loads(diffusers: Any, tmp_path: Path) -> None:
    out, path = tmp_path / "out", model("sd2", 1, "diffusers")
    assert cli("convert", path, "-o", out, "--dtype", "float32").code == 0
    pipeline = diffusers.DiffusionPipeline.from_pretrained(out, dtype=torch.float32)
    data = {"merge_method": "linear", "models": [{"model": str(path)}], "dtype": "float32"}
    assert same(weights(pipeline), merged(planned(data)))


def test_inpainting_loads(diffusers: Any, tmp_path: Path) -> None:
    out = tmp_path / "out"
    path = model("sd1", 1, "diffusers", variant="inpaint")
    assert cli("convert", path, "-o", out, "--dtype", "float32").code == 0
    pipeline = diffusers.DiffusionPipeline.from_pretrained(out, dtype=torch.float32)
    assert type(pipeline).__name__ == "StableDiffusionInpaintPipeline"
    assert pipeline.unet.config.in_channels == 9
