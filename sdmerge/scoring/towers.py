"""Towers: a model of pictures and texts in one space, whichever library it was written for."""

# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false
# pyright: reportUnknownArgumentType=false
# open_clip and transformers are not typed where they are called here

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

import torch
from torch import Tensor
from torch.nn import functional

from sdmerge.errors import FileError, ResourceError, ScorerError, SdmergeError
from sdmerge.scoring.batch import to_image
from sdmerge.scoring.loader import Loader, read_json
from sdmerge.scoring.preprocess import from_open_clip, from_processor

Pixels = Callable[[Sequence[Tensor]], Tensor]
"""Makes a model's input of pictures, uint8 [3, h, w]."""
Item = TypeVar("Item")
_CHUNK = 32
"""Pictures or texts that go through a model at once."""
_OPEN_CLIP = ("open_clip_model.safetensors", "open_clip_pytorch_model.bin")


@dataclass(frozen=True)
class Towers:
    """Two encoders into one space. Texts are remembered: prompts come again and again."""

    pixels: Pixels
    encode_pictures: Callable[[Tensor], Tensor]
    """Takes the model's input [n, 3, h, w], gives [n, d]."""
    encode_texts: Callable[[list[str]], Tensor]
    device: str
    scale: float = 1.0
    """What cosines are multiplied with to make logits."""
    bias: float = 0.0
    _texts: dict[str, Tensor] = field(default_factory=dict[str, Tensor], repr=False)

    def pictures(self, pictures: Tensor | Sequence[Tensor]) -> Tensor:
        """Unit vectors [n, d], float32, of pictures uint8 [3, h, w]."""
        return unit(
            torch.cat(
                [
                    self.encode_pictures(self.pixels(part).to(self.device))
                    for part in _chunks(list(pictures))
                ]
            )
        )

    def texts(self, lines: Sequence[str]) -> Tensor:
        """Unit vectors [n, d], float32."""
        new = [line for line in dict.fromkeys(lines) if line not in self._texts]
        for part in _chunks(new):
            self._texts.update(zip(part, unit(self.encode_texts(part)), strict=True))
        return torch.stack([self._texts[line] for line in lines])


def unit(vectors: Tensor) -> Tensor:
    """The vectors [n, d] in float32, with length 1."""
    return functional.normalize(vectors.float(), dim=-1)


def cosines(left: Tensor, right: Tensor) -> Tensor:
    """The cosine of each pair of rows, of unit vectors."""
    return (left * right).sum(dim=-1)


def open_towers(loader: Loader, *, model: str) -> Towers:
    """The towers of a folder or hub id, written for open_clip or for transformers."""
    folder = loader.find(model)
    if not folder.is_dir():
        hint = "Name the folder that also has its configuration and its tokenizer."
        raise FileError("is no folder of a CLIP", where=str(folder), hint=hint)
    loader.check_weights(folder)
    if any((folder / name).is_file() for name in _OPEN_CLIP):
        return loading(folder, lambda: open_clip_towers(loader, folder))
    return loading(folder, lambda: transformers_towers(loader, folder))


def loading(folder: Path, load: Callable[[], Any]) -> Any:
    """What `load` gives; errors of the libraries say which folder is meant."""
    try:
        return load()
    except torch.OutOfMemoryError as error:
        raise too_little(str(folder)) from error
    except (SdmergeError, MemoryError):
        raise
    except Exception as error:
        what = f"cannot be loaded as a scorer's model: {type(error).__name__}: {error}"
        raise FileError(what, where=str(folder)) from error


def too_little(where: str) -> ResourceError:
    """The error of a device whose memory is full."""
    hint = "Close other programs, use --batch 1, or --device cpu."
    return ResourceError("the device has too little memory for this", where=where, hint=hint)


def open_clip_towers(loader: Loader, folder: Path) -> Towers:
    """open_clip's folder: open_clip_config.json, weights, a tokenizer."""
    import open_clip

    name = f"local-dir:{folder}"
    model = open_clip.create_model(name, device=loader.device, require_pretrained=True)
    config = read_json(folder / "open_clip_config.json").get("preprocess_cfg", {})
    return of_open_clip(loader, model, open_clip.get_tokenizer(name), config)


def of_open_clip(
    loader: Loader, model: Any, tokenizer: Any, preprocess: Mapping[str, Any]
) -> Towers:
    """The towers of an open_clip model that is loaded."""
    model = model.eval().requires_grad_(False)
    bias = getattr(model, "logit_bias", None)
    return Towers(
        from_open_clip(preprocess, model.visual.image_size),
        model.encode_image,
        lambda lines: model.encode_text(tokenizer(lines).to(loader.device)),
        loader.device,
        math.exp(float(model.logit_scale)),
        0.0 if bias is None else float(bias),
    )


def transformers_towers(loader: Loader, folder: Path, processor: Path | None = None) -> Towers:
    """A folder for transformers; tokenizer and image processor may lie in `processor`."""
    from transformers import AutoTokenizer

    if not (folder / "config.json").is_file():
        raise FileError("has neither a config.json nor an open_clip model", where=str(folder))
    words = processor or folder
    own_code = check_code(loader, folder)
    model = load_model(loader, folder, own_code=own_code)
    tokenizer = AutoTokenizer.from_pretrained(words, trust_remote_code=own_code)
    tokenize = _tokenize(model, tokenizer, own_code=own_code)

    def encode_texts(lines: list[str]) -> Tensor:
        return _pooled(model.get_text_features(**_moved(tokenize(lines), loader.device)))

    scale, bias = getattr(model, "logit_scale", None), getattr(model, "logit_bias", None)
    return Towers(
        _pixels(words, own_code=own_code),
        lambda pixels: _pooled(model.get_image_features(pixel_values=pixels)),
        encode_texts,
        loader.device,
        1.0 if scale is None else math.exp(float(scale)),
        0.0 if bias is None else float(bias),
    )


def check_code(loader: Loader, folder: Path) -> bool:
    """Whether the model brings code of its own; an error if the user did not allow that."""
    named = any(
        "auto_map" in read_json(path)
        for name in ("config.json", "tokenizer_config.json", "preprocessor_config.json")
        if (path := folder / name).is_file()
    )
    if named and not loader.trust_remote_code:
        hint = "Read that code; then pass --trust-remote-code to run it."
        raise ScorerError("brings Python code of its own", where=str(folder), hint=hint)
    return named


def load_model(loader: Loader, folder: Path, *, own_code: bool = False) -> Any:
    """A transformers model of which every weight is in the file."""
    from transformers import AutoModel
    from transformers.utils import logging

    logging.disable_progress_bar()
    model, info = AutoModel.from_pretrained(
        folder,
        trust_remote_code=own_code,
        dtype=torch.float32,
        output_loading_info=True,
        use_safetensors=None if loader.allow_pickle else True,
    )
    check_complete(folder, info["missing_keys"])
    return model.eval().requires_grad_(False).to(loader.device)


def check_complete(folder: Path, missing: Sequence[str]) -> None:
    """An error if the file lacks weights, which the library would throw dice for."""
    if missing:
        some = ", ".join(sorted(missing)[:3])
        what = f"lacks {len(missing)} weights of its model ({some}, …)"
        raise FileError(what, where=str(folder), hint="Is the file complete, and of this model?")


def _tokenize(model: Any, tokenizer: Any, *, own_code: bool) -> Callable[[list[str]], Any]:
    """How this model's texts are made into numbers."""
    if own_code:
        return tokenizer
    kind = str(getattr(model.config, "model_type", ""))
    text = getattr(model.config, "text_config", model.config)
    longest = min(tokenizer.model_max_length, getattr(text, "max_position_embeddings", 77))
    # SigLIP reads the last of its 64 tokens and masks none: padding is part of the text
    siglip = kind.startswith("siglip")
    return lambda lines: tokenizer(
        lines,
        padding="max_length" if siglip else True,
        truncation=True,
        max_length=longest,
        return_attention_mask=not siglip,
        return_tensors="pt",
    )


def _pixels(folder: Path, *, own_code: bool) -> Pixels:
    if not own_code:
        return from_processor(read_json(folder / "preprocessor_config.json"))
    from transformers import AutoImageProcessor

    processor = AutoImageProcessor.from_pretrained(folder, trust_remote_code=True)

    def through_pil(pictures: Sequence[Tensor]) -> Tensor:
        return processor([to_image(one) for one in pictures], return_tensors="pt")["pixel_values"]

    return through_pil


def _moved(inputs: Any, device: str) -> dict[str, Tensor]:
    return {name: torch.as_tensor(value).to(device) for name, value in inputs.items()}


def _pooled(found: Any) -> Tensor:
    """The vectors, which some versions of transformers wrap into an output."""
    return found if isinstance(found, Tensor) else found.pooler_output


def _chunks(items: list[Item]) -> list[list[Item]]:
    return [items[start : start + _CHUNK] for start in range(0, len(items), _CHUNK)]
