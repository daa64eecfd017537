"""Stand-ins for the models of EvoSDXL-JP, in folders by their names on the hub."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Callable, Mapping
from pathlib import Path

import torch
from safetensors.torch import load_file
from tiny import ROOT, SAMPLES, copy, save
from torch import Tensor

from sdmerge.families import FAMILIES, component_map
from sdmerge.families.configs import config_of, model_index, scheduler_of
from sdmerge.tensors.spec import TensorSpec
from sdmerge.testing import random_lora

SDXL = "stabilityai/stable-diffusion-xl-base-1.0"
DPO = "mhdang/dpo-sdxl-text2image-v1"
JUGGERNAUT = "RunDiffusion/Juggernaut-XL-v9"
JSDXL = "stabilityai/japanese-stable-diffusion-xl"
LIGHTNING = "ByteDance/SDXL-Lightning/sdxl_lightning_4step_unet.safetensors"
LORA = "ByteDance/SDXL-Lightning/sdxl_lightning_4step_lora.safetensors"
JUGGERNAUT_LIGHTNING = "RunDiffusion/Juggernaut-XL-Lightning"
UKIYOE = "SakanaAI/Evo-Ukiyoe-v1"
UNET_FILE = "unet/diffusion_pytorch_model.safetensors"
ALL = ("unet", "vae", "text_encoder", "text_encoder_2")
COMPONENTS = {
    SDXL: ALL, DPO: ("unet",), JUGGERNAUT: ALL, JSDXL: ALL, JUGGERNAUT_LIGHTNING: ALL,
}  # fmt: skip
RANK, ALPHA = 4, 0.5
_SHALLOW = {"d1": 1, "d2": 2}
RECIPE = ROOT / "recipes" / "evosdxl-jp.yaml"
SEARCH = ROOT / "recipes" / "evosdxl-jp-search.yaml"

Draw = Callable[[Path, tuple[str, ...], int], None]


def narrow(folder: Path) -> Path:
    """All of them as SDXL, but narrow and with fewer layers; those that lend words have them."""
    family = FAMILIES.get("sdxl")

    def draw(path: Path, components: tuple[str, ...], seed: int) -> None:
        generator = torch.Generator().manual_seed(seed)
        held = components if path.name in (Path(SDXL).name, Path(JSDXL).name) else ("unet",)
        for name in held:
            part = family.component(name)
            specs = family.specs(name, {**part.tiny, **_SHALLOW})
            drawn = {
                key: (0.1 * torch.randn(spec.shape, generator=generator)).half()
                for key, spec in component_map(family, name, specs).specs.items()
            }
            save(path / name / f"{part.stem}.safetensors", drawn)
            _write(path / name / "config.json", config_of(family, name, specs))
            if part.tokenizer:
                copy(SAMPLES / "base" / "tokenizer", path / part.tokenizer)
        _write(path / "model_index.json", model_index(family, held))
        _write(path / "scheduler" / "scheduler_config.json", scheduler_of(family))

    _world(folder, draw)
    tokenizer = folder / JSDXL / "tokenizer"
    shutil.rmtree(tokenizer)
    tokenizer.mkdir()
    (tokenizer / "spiece.model").write_bytes(b"Japanese")
    index = folder / JSDXL / "model_index.json"
    given = json.loads(index.read_text("utf-8"))
    _write(index, {**given, "tokenizer": ["transformers", "T5Tokenizer"]})
    return folder


def _write(path: Path, value: Mapping[str, object]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(value), "utf-8")


def full_size(folder: Path) -> Path:
    """All of them with the headers of the real ones and zeros that take no room on a disk."""
    family = FAMILIES.get("sdxl")

    def draw(path: Path, components: tuple[str, ...], _: int) -> None:
        for name in components:
            specs = family.specs(name)
            stem = family.component(name).stem
            sparse(path / name / f"{stem}.safetensors", component_map(family, name, specs).specs)
        if components != ("unet",):
            index = json.dumps(model_index(family, components))
            (path / "model_index.json").write_text(index, "utf-8")

    return _world(folder, draw, rank=64, alpha=8.0)


def sparse(path: Path, specs: Mapping[str, TensorSpec]) -> None:
    """A safetensors file whose numbers are zeros that were never written."""
    header: dict[str, object] = {}
    start = 0
    for name, spec in specs.items():
        place = [start, start + spec.nbytes]
        header[name] = {"dtype": spec.dtype, "shape": list(spec.shape), "data_offsets": place}
        start += spec.nbytes
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("wb") as file:
        file.write(len(text).to_bytes(8, "little") + text)
        file.truncate(8 + len(text) + start)


def _world(folder: Path, draw: Draw, rank: int = RANK, alpha: float = ALPHA) -> Path:
    for seed, (name, components) in enumerate(COMPONENTS.items(), 1):
        draw(folder / name, components, seed)
    other = folder / "other"
    draw(other, ("unet",), 9)
    (folder / LIGHTNING).parent.mkdir(parents=True)
    (other / UNET_FILE).rename(folder / LIGHTNING)
    random_lora(
        folder / LORA, folder / SDXL / "unet", rank=rank, alpha=alpha,
        components=("unet",), targets=r"attentions\.0\.transformer_blocks\.0\.(attn1\.to_|ff\.)",
    )  # fmt: skip
    (folder / UKIYOE).mkdir(parents=True)
    shutil.copyfile(folder / LORA, folder / UKIYOE / "pytorch_lora_weights.safetensors")
    return folder


def published(folder: Path) -> dict[str, Tensor]:
    """The UNet as Sakana's script makes it, line by line, in float64."""
    sdxl, dpo, juggernaut, jsdxl, other = (
        _unet(folder / name / UNET_FILE)
        for name in (SDXL, DPO, JUGGERNAUT, JSDXL, JUGGERNAUT_LIGHTNING)
    )
    lightning = _unet(folder / LIGHTNING)
    unet = _sum(
        [sdxl, dpo, juggernaut, jsdxl],
        rest=[0.15928833971605916, 0.1032449268871776, 0.6503217149752791, 0.08714501842148402],
        attn=[0.1877279276437178, 0.20014114603909822, 0.3922685507065275, 0.2198623756106564],
    )
    for name, change in lora_changes(folder / LORA).items():
        unet[name] += 3.224682864579401 * change
    return _sum(
        [lightning, other, unet],
        rest=[0.47222002022088533, 0.48419531030361584, 0.04358466947549889],
        attn=[0.023119324530758375, 0.04924981616469831, 0.9276308593045434],
    )


def lora_changes(path: Path) -> dict[str, Tensor]:
    """B·A·alpha/rank of every module, float64, by the name of the weight in the UNet."""
    parts = load_file(path)
    found: dict[str, Tensor] = {}
    for name, down in parts.items():
        if name.endswith(".lora_A.weight"):
            up = parts[name.replace("lora_A", "lora_B")].double()
            module = name.removeprefix("unet.").removesuffix(".lora_A.weight")
            found[f"{module}.weight"] = up @ down.double() * (ALPHA / RANK)
    return found


def _unet(path: Path) -> dict[str, Tensor]:
    return {name: tensor.double() for name, tensor in load_file(path).items()}


def _sum(
    models: list[dict[str, Tensor]], *, rest: list[float], attn: list[float]
) -> dict[str, Tensor]:
    made: dict[str, Tensor] = {}
    for key in models[0]:
        is_attn = any(word in key for word in ("to_k", "to_q", "to_v", "to_out.0"))
        weights = torch.tensor(attn if is_attn else rest, dtype=torch.float64)
        stacked = torch.stack([model[key] for model in models])
        made[key] = (stacked * weights.reshape(-1, *[1] * (stacked.dim() - 1))).sum(0)
    return made


def coefficients() -> dict[str, float]:
    """Every `value:` of the recipe, by model and group, read off its text."""
    number = r".*?value: ([\d.]+)\}"
    pattern = rf"(?:name|model): (\w+)\n *parameters:{number}{number}"
    found = re.findall(pattern, RECIPE.read_text("utf-8"), re.DOTALL)
    return {
        f"{name}/{group}": float(value)
        for name, *values in found
        for group, value in zip(("attn", "rest"), values, strict=True)
    }
