"""Writes a model as a diffusers folder and as an SD1 single file, in half precision."""

import json
from pathlib import Path

import torch
from diffusers import AutoencoderKL, StableDiffusionPipeline, UNet2DConditionModel
from safetensors.torch import load_file, save_file
from transformers import CLIPTextModel

from samples.train import tokenizer
from samples.train.architecture import new_scheduler
from samples.train.single_file import Tensors, single_file

METADATA = {"format": "pt"}


def pipeline(
    unet: UNet2DConditionModel, text_encoder: CLIPTextModel, vae: AutoencoderKL
) -> StableDiffusionPipeline:
    """The parts as one pipeline, without a safety checker."""
    return StableDiffusionPipeline(
        unet=unet,
        text_encoder=text_encoder,
        vae=vae,
        tokenizer=tokenizer.tokenizer(),
        scheduler=new_scheduler(),
        safety_checker=None,
        feature_extractor=None,
        requires_safety_checker=False,
    )


def write_folder(whole: StableDiffusionPipeline, folder: Path) -> None:
    """Save as a diffusers folder that loads alone, with old and new transformers."""
    whole.to(torch.float16).save_pretrained(folder)
    declare_float32(folder / "text_encoder" / "config.json")
    weights = folder / "text_encoder" / "model.safetensors"
    save_file(text_tensors(whole.text_encoder), weights, METADATA)
    for path in folder.glob("*/config.json"):
        _forget_origin(path)
    for name in ("vocab.json", "merges.txt"):
        (folder / "tokenizer" / name).write_bytes((tokenizer.FOLDER / name).read_bytes())


def declare_float32(config: Path) -> None:
    """Have transformers load single precision, as diffusers does, whatever is stored."""
    entries = json.loads(config.read_text("utf-8"))
    entries["dtype"] = "float32"
    config.write_text(json.dumps(entries, indent=2, sort_keys=True) + "\n", "utf-8")


def _forget_origin(config: Path) -> None:
    """Drop the folder that a part was loaded from: it means nothing elsewhere."""
    entries = json.loads(config.read_text("utf-8"))
    entries.pop("_name_or_path", None)
    config.write_text(json.dumps(entries, indent=2, sort_keys=True) + "\n", "utf-8")


def text_tensors(text_encoder: CLIPTextModel) -> Tensors:
    """The text encoder's tensors named with `text_model.`, as every loader knows them."""
    tensors = text_encoder.state_dict()
    return {f"text_model.{key.removeprefix('text_model.')}": v for key, v in tensors.items()}


def write_single_file(folder: Path, path: Path) -> None:
    """Save a diffusers folder's weights as one SD1 file.

    Its tensors do not tell the number of heads, nor what the model predicts: the header does.
    """
    unet = load_file(folder / "unet" / "diffusion_pytorch_model.safetensors")
    vae = load_file(folder / "vae" / "diffusion_pytorch_model.safetensors")
    text_encoder = load_file(folder / "text_encoder" / "model.safetensors")
    save_file(single_file(unet, vae, text_encoder), path, {**METADATA, **configs(folder)})


def configs(folder: Path) -> dict[str, str]:
    """The folder's configs as the header entry that sdmerge reads."""
    files = {
        "unet": "unet/config.json",
        "vae": "vae/config.json",
        "text_encoder": "text_encoder/config.json",
        "scheduler": "scheduler/scheduler_config.json",
    }
    found = {name: json.loads((folder / path).read_text("utf-8")) for name, path in files.items()}
    return {"sdmerge.configs": json.dumps(found, sort_keys=True, separators=(",", ":"))}
