"""The LoRAs: a torii, and pop art three times over; trained on the base with PEFT."""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial

import torch
from diffusers import UNet2DConditionModel
from peft import LoraConfig, get_peft_model_state_dict
from safetensors.torch import load_file, save_file
from torch import nn
from torch.nn import Parameter
from transformers import CLIPTextModel

from samples.train.diffusion import v_loss
from samples.train.generator import trained
from samples.train.loop import Schedule, Task
from samples.train.paths import WORK
from samples.train.single_file import Tensors

ATTENTION = ("to_q", "to_k", "to_v", "to_out.0")
TRANSFORMER = (*ATTENTION, "proj_in", "proj_out", "ff.net.0.proj", "ff.net.2")
CONVOLUTION = ("conv1", "conv2", "conv_shortcut", "downsamplers.0.conv", "upsamplers.0.conv")
EVERYTHING = (*TRANSFORMER, *CONVOLUTION, "time_emb_proj")
TEXT = ("q_proj", "k_proj", "v_proj", "out_proj")


@dataclass(frozen=True, slots=True)
class Adapter:
    """What a LoRA learns, from what, and where it sits; alpha is never the rank."""

    name: str
    pictures: str
    rank: int
    alpha: int
    targets: tuple[str, ...]
    schedule: Schedule
    rate: float
    seed: int
    text_rate: float = 0.0  # 0: the text encoder stays as it is
    dora: bool = False

    @property
    def text_targets(self) -> tuple[str, ...]:
        """Where it sits in the text encoder."""
        return TEXT if self.text_rate else ()

    def config(self, targets: tuple[str, ...]) -> LoraConfig:
        """PEFT's, for the U-Net or the text encoder."""
        return LoraConfig(
            r=self.rank,
            lora_alpha=self.alpha,
            target_modules=list(targets),
            use_dora=self.dora,
            init_lora_weights="gaussian",
        )


ADAPTERS = {
    adapter.name: adapter
    for adapter in (
        Adapter("torii", "torii", 8, 16, ATTENTION, Schedule(700, 32), 2e-3, 21, 1e-3),
        Adapter("pop", "pop", 16, 8, TRANSFORMER, Schedule(1400, 32), 3e-3, 22),
        Adapter("pop_dora", "pop", 8, 16, TRANSFORMER, Schedule(600, 32), 2e-3, 23, dora=True),
        Adapter("pop_locon", "pop", 8, 4, TRANSFORMER + CONVOLUTION, Schedule(600, 32), 3e-3, 24),
    )
}


def lora_task(name: str) -> Task:
    """Train the factors on the base, which stays as it is."""
    adapter = ADAPTERS[name]
    unet, text_encoder = adapted(adapter)
    parts = [(unet, adapter.rate), (text_encoder, adapter.text_rate)]
    groups = [{"params": list(factors(m)), "rate": rate} for m, rate in parts if rate]
    loss = v_loss(unet, text_encoder, adapter.pictures, "en", adapter.schedule)
    save = partial(store, adapter, unet, text_encoder)
    return Task(name, adapter.seed, adapter.schedule, groups, loss, save)


def adapted(adapter: Adapter) -> tuple[UNet2DConditionModel, CLIPTextModel]:
    """The base, frozen, with fresh factors."""
    torch.manual_seed(adapter.seed)
    unet, text_encoder = trained("base")
    unet.requires_grad_(False)
    text_encoder.requires_grad_(False)
    unet.add_adapter(adapter.config(adapter.targets))
    if adapter.text_rate:
        text_encoder.add_adapter(adapter.config(adapter.text_targets))
    return unet, text_encoder


def factors(module: nn.Module) -> Iterator[Parameter]:
    """What is trained."""
    return (parameter for parameter in module.parameters() if parameter.requires_grad)


def store(adapter: Adapter, unet: UNet2DConditionModel, text_encoder: CLIPTextModel) -> None:
    """Keep the factors as they are, under diffusers' prefixes."""
    parts: dict[str, nn.Module] = {"unet": unet}
    if adapter.text_rate:
        parts["text_encoder"] = text_encoder
    tensors = {
        f"{part}.{key}": value.contiguous()
        for part, module in parts.items()
        for key, value in get_peft_model_state_dict(module, adapter_name="default").items()
    }
    save_file(tensors, WORK / f"lora-{adapter.name}.safetensors")


def stored(name: str) -> Tensors:
    """The trained factors of an adapter, in single precision."""
    return load_file(WORK / f"lora-{name}.safetensors")
