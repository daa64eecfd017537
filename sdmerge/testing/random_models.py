"""Random models: files of any family, layout and size, whose every tensor can be drawn again."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import partial
from pathlib import Path
from typing import Literal

import torch
from torch import Tensor

from sdmerge.errors import InputError
from sdmerge.families import (
    DIFFUSERS,
    FAMILIES,
    SINGLE_FILE,
    Component,
    Families,
    Family,
    KeyMap,
    component_map,
    config_of,
    model_index,
    scheduler_of,
    single_file_map,
    tokenizer_config,
)
from sdmerge.sinks.clip_tokenizer import clip_tokenizer
from sdmerge.tensors.dtypes import TORCH
from sdmerge.tensors.spec import TensorSpec, parse_dtype
from sdmerge.testing.streamed import PICKLES, Pieces, write_pickle, write_safetensors, write_shards

Specs = Mapping[str, TensorSpec]

SPREAD = 0.02
STEP = 0.002  # how far a fine-tune goes from what it was made of
SHARD_SIZE = "10GB"
_CHUNK = 1 << 22


def random_model(
    path: Path,
    family: str = "sdxl",
    layout: str = SINGLE_FILE,
    *,
    dtype: str = "float16",
    scale: Literal["full", "tiny"] = "full",
    seed: int = 0,
    components: Iterable[str] | None = None,
    perturb_of: int | None = None,
    variant: str = "",
    shard_size: int | str = SHARD_SIZE,
    families: Families = FAMILIES,
) -> Path:
    """Write a model of random weights and return its path; memory does not grow with its size.

    layout: "single-file" or "diffusers". A single file that ends in .ckpt, .pt or .bin is a pickled
        state dict, as `torch.save` writes it; other files are safetensors.

    scale: "tiny" has every name of the UNet and the VAE, at widths of 8 to 24, and text encoders
        of two layers.
    seed: The weights are drawn from it and from their canonical keys, whatever the layout.
    components: Which components, all if not given.
    perturb_of: A seed; the model is then that seed's with small changes, as a fine-tune's.
    variant: One of the family's variants, by its name.
    shard_size: Largest weight file of a folder: bytes, or words like "5GB".
    """
    chosen = families.get(family)
    specs = random_specs(chosen, dtype, scale, components, variant)
    draw = _Draw(seed, perturb_of)
    if layout == SINGLE_FILE:
        keymap = single_file_map(chosen, specs)
        write = write_pickle if path.suffix in PICKLES else write_safetensors
        write(path, keymap.specs, partial(draw.pieces, keymap))
    elif layout == DIFFUSERS:
        write = partial(write_shards, shard_size=shard_size)
        _write_folder(path, chosen, specs, variant, draw=draw, write=write)
    else:
        raise InputError(f"no layout '{layout}'", hint=f"Known: {SINGLE_FILE}, {DIFFUSERS}.")
    return path


def random_specs(
    family: Family,
    dtype: str = "float16",
    scale: Literal["full", "tiny"] = "full",
    components: Iterable[str] | None = None,
    variant: str = "",
) -> dict[str, TensorSpec]:
    """The canonical tensors of such a model."""
    specs: dict[str, TensorSpec] = {}
    for name in components or family.by_name:
        component = family.component(name)
        sizes = dict(component.tiny if scale == "tiny" else {})
        if component is family.main:
            sizes["in"] = family.channels_of(variant)
        specs |= family.specs(name, sizes, parse_dtype(dtype))
    return specs


def random_tensor(key: str, spec: TensorSpec, seed: int, perturb_of: int | None = None) -> Tensor:
    """The tensor of a random model by its canonical key."""
    flat = torch.cat([*_Draw(seed, perturb_of).chunks(key, spec)])
    return flat.reshape(spec.shape)


class _Draw:
    """Weights by canonical key, in chunks, so that the largest tensor takes no more memory."""

    def __init__(self, seed: int, perturb_of: int | None) -> None:
        self._seed = seed
        self._origin = perturb_of

    def chunks(self, key: str, spec: TensorSpec) -> Iterator[Tensor]:
        """The flat tensor, run by run."""
        own = _generator(self._seed, key)
        origin = None if self._origin is None else _generator(self._origin, key)
        # norms scale by about one, so that a random model's pictures depend on its text
        centre = 1.0 if len(spec.shape) == 1 and key.endswith(".weight") else 0.0
        for start in range(0, max(spec.numel, 1), _CHUNK):
            count = min(_CHUNK, spec.numel - start)
            if origin is None:
                values = centre + SPREAD * torch.randn(count, generator=own)
            else:
                values = centre + SPREAD * torch.randn(count, generator=origin)
                values += STEP * torch.randn(count, generator=own)
            yield values.to(TORCH[spec.dtype])

    def pieces(self, keymap: KeyMap, name: str) -> Iterator[tuple[int, Tensor]]:
        """A saved tensor in runs, each with the element it starts at."""
        for piece in keymap.pieces[name]:
            chunks = self.chunks(piece.source, keymap.sources[piece.source])
            if piece.transpose is not None:
                chunks = iter([torch.cat([*chunks]).reshape(piece.transpose).T.reshape(-1)])
            start = piece.target_start
            for chunk in chunks:
                yield start, chunk
                start += chunk.numel()


def _generator(seed: int, key: str) -> torch.Generator:
    digest = hashlib.blake2b(f"{seed} {key}".encode(), digest_size=7).digest()
    return torch.Generator().manual_seed(int.from_bytes(digest, "little"))


def _write_folder(
    path: Path,
    family: Family,
    specs: Specs,
    variant: str,
    *,
    draw: _Draw,
    write: Callable[[Path, str, Specs, Pieces], None],
) -> None:
    names = {key.partition(".")[0] for key in specs}
    _write_json(path / "model_index.json", model_index(family, names, variant))
    _write_json(path / "scheduler" / "scheduler_config.json", scheduler_of(family))
    for component in family.components:
        if component.name in names:
            keymap = component_map(family, component.name, specs)
            folder = path / component.name
            write(folder, component.stem, keymap.specs, partial(draw.pieces, keymap))
            config = config_of(family, component.name, specs)
            _write_json(path / component.name / "config.json", config)
            if component.tokenizer:
                _write_tokenizer(path / component.tokenizer, component, specs)


def _write_tokenizer(folder: Path, component: Component, specs: Specs) -> None:
    _write_json(folder / "tokenizer_config.json", tokenizer_config(component, specs))
    for name, data in clip_tokenizer(component.pad_token).items():
        (folder / name).write_bytes(data)


def _write_json(path: Path, value: Mapping[str, object]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(value, indent=2) + "\n", "utf-8")
