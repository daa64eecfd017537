"""Writes the LoRAs in half precision: as diffusers saves them, and as kohya's scripts do."""

import json
from collections.abc import Callable, Mapping
from pathlib import Path

import torch
from diffusers import StableDiffusionPipeline, UNet2DConditionModel
from peft import set_peft_model_state_dict
from safetensors.torch import save_file
from torch import Tensor
from transformers import CLIPTextModel

from samples.train.distill import FEW_STEP
from samples.train.export import METADATA
from samples.train.generator import trained_pipeline
from samples.train.lora import ADAPTERS, Adapter, adapted, stored
from samples.train.paths import LORAS
from samples.train.single_file import Tensors

KOHYA = {"unet": "lora_unet", "text_encoder": "lora_te_text_model"}
KOHYA_FACTORS = {"lora_A.weight": "lora_down.weight", "lora_B.weight": "lora_up.weight"}


def write_loras() -> None:
    """Every LoRA in the forms its users meet it in."""
    LORAS.mkdir(parents=True, exist_ok=True)
    forms: dict[str, tuple[Adapter, Callable[[Adapter, Path], None]]] = {
        "torii": (ADAPTERS["torii"], write_diffusers),
        "torii_kohya": (ADAPTERS["torii"], write_kohya),
        "pop": (ADAPTERS["pop"], write_diffusers),
        "pop_kohya": (ADAPTERS["pop"], write_kohya),
        "pop_dora": (ADAPTERS["pop_dora"], write_diffusers),
        "pop_locon": (ADAPTERS["pop_locon"], write_kohya),
        "few_step": (FEW_STEP, write_diffusers),
    }
    for name, (adapter, write) in forms.items():
        write(adapter, LORAS / f"{name}.safetensors")


def write_diffusers(adapter: Adapter, path: Path) -> None:
    """With diffusers' own call; rank and alpha go into the header."""
    factors = halves(adapter)
    settings: dict[str, object] = {}
    for part, targets in (("unet", adapter.targets), ("text_encoder", adapter.text_targets)):
        own = {k.removeprefix(f"{part}."): v for k, v in factors.items() if k.startswith(part)}
        if own:
            settings[f"{part}_lora_layers"] = own
            settings[f"{part}_lora_adapter_metadata"] = adapter.config(targets).to_dict()
    StableDiffusionPipeline.save_lora_weights(path.parent, weight_name=path.name, **settings)


def write_kohya(adapter: Adapter, path: Path) -> None:
    """Underscores for dots, an alpha per module, `ss_` entries in the header."""
    tensors: Tensors = {}
    for key, value in halves(adapter).items():
        part, _, rest = key.partition(".")
        module, factor = next(
            (rest.removesuffix(f".{end}"), name)
            for end, name in KOHYA_FACTORS.items()
            if rest.endswith(end)
        )
        module = module.removeprefix("text_model.").replace(".", "_")
        tensors[f"{KOHYA[part]}_{module}.{factor}"] = value
        tensors[f"{KOHYA[part]}_{module}.alpha"] = torch.tensor(float(adapter.alpha)).half()
    header = {
        **METADATA,
        "ss_network_module": "networks.lora",
        "ss_network_dim": str(adapter.rank),
        "ss_network_alpha": str(float(adapter.alpha)),
    }
    if any(value.ndim == 4 for value in tensors.values()):
        sizes = {"conv_dim": str(adapter.rank), "conv_alpha": str(float(adapter.alpha))}
        header["ss_network_args"] = json.dumps({**sizes, "algo": "lora"})
        header["ss_network_module"] = "lycoris.kohya"
    save_file(tensors, path, header)


def halves(adapter: Adapter) -> Mapping[str, Tensor]:
    """The factors as they are shipped."""
    return {key: value.half() for key, value in stored(adapter.name).items()}


def with_factors(adapter: Adapter) -> tuple[UNet2DConditionModel, CLIPTextModel]:
    """The base with the shipped factors beside its weights."""
    unet, text_encoder = adapted(adapter)
    factors = {key: value.float() for key, value in halves(adapter).items()}
    for part, module in (("unet", unet), ("text_encoder", text_encoder)):
        own = {k.removeprefix(f"{part}."): v for k, v in factors.items() if k.startswith(part)}
        if own:
            set_peft_model_state_dict(module, own)
    return unet, text_encoder


def distilled_pipeline() -> StableDiffusionPipeline:
    """The base with the student's factors added to its weights."""
    whole = trained_pipeline("base")
    unet, _ = with_factors(FEW_STEP)
    unet.fuse_lora()
    unet.unload_lora()
    whole.register_modules(unet=unet)
    return whole
