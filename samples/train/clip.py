"""The two scorers: a ViT CLIP of transformers and a ResNet CLIP of open_clip."""

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol

import open_clip
import torch
from torch import Generator, Tensor, nn
from torch.nn import functional
from torch.optim.swa_utils import update_bn
from transformers import CLIPConfig, CLIPModel

from samples.train.clip_batches import CLIP_TOKENS, Half, half
from samples.train.loop import Schedule, Task
from samples.train.paths import WORK
from samples.train.tokenizer import tokenizer

WIDTH = 96
MOST_SCALE = math.log(50)
CALIBRATION = 40  # batches that the ResNet's running statistics are taken from


class Clip(Protocol):
    """Pictures and captions in one space."""

    module: nn.Module

    def images(self, pixels: Tensor) -> Tensor:
        """Unit vectors [n, d] of pictures in -1…1."""
        ...

    def texts(self, ids: Tensor) -> Tensor:
        """Unit vectors [n, d] of token ids [n, tokens]."""
        ...

    def scale(self) -> Tensor:
        """The logarithm of the inverse temperature."""
        ...


@dataclass(frozen=True, slots=True)
class VitClip:
    """transformers' CLIP: a ViT of 8×8 patches."""

    module: CLIPModel

    def images(self, pixels: Tensor) -> Tensor:
        pooled = self.module.vision_model(pixel_values=pixels).pooler_output
        return functional.normalize(self.module.visual_projection(pooled), dim=-1)

    def texts(self, ids: Tensor) -> Tensor:
        # text is read forwards up to its end, the largest id: what pads it changes nothing
        longest = int((ids != ids.amax()).sum(1).amax()) + 1
        pooled = self.module.text_model(input_ids=ids[:, :longest]).pooler_output
        return functional.normalize(self.module.text_projection(pooled), dim=-1)

    def scale(self) -> Tensor:
        return self.module.logit_scale


@dataclass(frozen=True, slots=True)
class ResNetClip:
    """open_clip's CLIP with OpenAI's modified ResNet."""

    module: open_clip.CLIP

    def images(self, pixels: Tensor) -> Tensor:
        return self.module.encode_image(pixels, normalize=True)

    def texts(self, ids: Tensor) -> Tensor:
        return self.module.encode_text(ids, normalize=True)

    def scale(self) -> Tensor:
        return self.module.logit_scale


def new_vit() -> VitClip:
    """clip_a before its training."""
    words = tokenizer()
    text = {
        "vocab_size": len(words),
        "hidden_size": WIDTH,
        "intermediate_size": 3 * WIDTH,
        "num_hidden_layers": 3,
        "num_attention_heads": 4,
        "max_position_embeddings": CLIP_TOKENS,
        "hidden_act": "gelu",
        "bos_token_id": words.bos_token_id,
        "eos_token_id": words.eos_token_id,
        "pad_token_id": words.pad_token_id,
        "projection_dim": WIDTH,
    }
    vision = {
        "hidden_size": WIDTH,
        "intermediate_size": 4 * WIDTH,
        "num_hidden_layers": 4,
        "num_attention_heads": 4,
        "image_size": 64,
        "patch_size": 8,
        "hidden_act": "gelu",
        "projection_dim": WIDTH,
    }
    model = CLIPModel(CLIPConfig(text_config=text, vision_config=vision, projection_dim=WIDTH))
    # CLIP's own initial values are meant for large widths and long training
    for name, parameter in model.named_parameters():
        if parameter.ndim >= 2:
            spread = 1 / math.sqrt(parameter.numel() / parameter.shape[0])
            spread = 0.3 if "token_emb" in name else 0.1 if "position_emb" in name else spread
            nn.init.normal_(parameter, std=spread)
    return VitClip(model)


def resnet_config() -> dict[str, Any]:
    """clip_b's shape, as open_clip's config files say it."""
    vision = {"image_size": 64, "layers": [1, 1, 1, 1], "width": 16, "head_width": 64}
    text = {
        "context_length": CLIP_TOKENS,
        "vocab_size": len(tokenizer()),
        "width": 96,
        "heads": 4,
        "layers": 3,
        "mlp_ratio": 3.0,
    }
    return {"embed_dim": 96, "vision_cfg": vision, "text_cfg": text}


def new_resnet() -> ResNetClip:
    """clip_b before its training."""
    return ResNetClip(open_clip.CLIP(**resnet_config()))


@dataclass(frozen=True, slots=True)
class Kind:
    """A scorer: which half of the pictures it sees, and how fast it learns."""

    half: str
    new: Callable[[], Clip]
    schedule: Schedule
    rate: float
    seed: int


KINDS = {
    "clip_a": Kind("a", new_vit, Schedule(3200, 128, averaging=0.99), 1.2e-3, 31),
    "clip_b": Kind("b", new_resnet, Schedule(1600, 128, averaging=0.99), 1e-3, 32),
}


def clip_task(name: str) -> Task:
    """Train picture and caption to find each other; one process, which sees the whole batch."""
    kind = KINDS[name]
    torch.manual_seed(kind.seed)
    clip, pictures = kind.new(), half(kind.half)
    clip.module.train()

    def loss(dice: Generator, share: slice) -> Tensor:
        del share
        images, words = pictures.batch(dice)
        near = clip.images(images) @ clip.texts(words).T * clip.scale().clamp(max=MOST_SCALE).exp()
        right = torch.arange(len(near))
        return (functional.cross_entropy(near, right) + functional.cross_entropy(near.T, right)) / 2

    def save() -> None:
        _calibrate(clip.module, pictures)
        torch.save(clip.module.state_dict(), WORK / f"{name}.pt")

    groups = [{"params": list(clip.module.parameters()), "rate": kind.rate}]
    return Task(name, kind.seed, kind.schedule, groups, loss, save, reports=400)


def _calibrate(module: nn.Module, pictures: Half) -> None:
    """Running statistics of batch norms, for the weights that are in place now."""
    dice = Generator().manual_seed(0)
    batches = (pictures.batch(dice)[0] for _ in range(CALIBRATION))
    if any(isinstance(part, nn.BatchNorm2d) for part in module.modules()):
        update_bn(batches, module.visual)


def trained_clip(name: str) -> Clip:
    """The trained scorer, in single precision."""
    clip = KINDS[name].new()
    clip.module.load_state_dict(torch.load(WORK / f"{name}.pt"))
    clip.module.eval()
    return clip
