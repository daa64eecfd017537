"""Random checkpoints that are quick to make: one pool of normal numbers, read from many places.

A base and its fine-tunes, in half precision: `base + 0.1·noise`, with nothing repeated in a tensor.
"""

from __future__ import annotations

import functools
import os
from collections.abc import Iterator, Mapping
from pathlib import Path

import torch
from torch import Tensor

from sdmerge.families import FAMILIES, single_file_map
from sdmerge.tensors.header import encode_header
from sdmerge.tensors.spec import TensorSpec
from sdmerge.testing.random_models import random_specs
from sdmerge.testing.streamed import write_safetensors

SPREAD = 0.02
STEP = 0.002
_POOL = 1 << 24
_CHUNK = 1 << 20


def sd1_specs(scale: str) -> dict[str, TensorSpec]:
    """The tensors of an SD1 checkpoint by the names of its file: 1.07 billion parameters."""
    specs = random_specs(FAMILIES.get("sd1"), scale="full" if scale == "full" else "tiny")
    return dict(single_file_map(FAMILIES.get("sd1"), specs).specs)


def plain_specs(parameters: float) -> dict[str, TensorSpec]:
    """About so many parameters in matrices of 4 million."""
    count = max(1, round(parameters / 2**22))
    return {f"layers.{n}.weight": TensorSpec("F16", (2048, 2048)) for n in range(count)}


def header_only(path: Path, family: str) -> Path:
    """A checkpoint of full size whose numbers are a hole in the file: it takes no disk."""
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        header, size = _header(family)
        path.write_bytes(header)
        os.truncate(path, len(header) + size)
    return path


@functools.cache
def _header(family: str) -> tuple[bytes, int]:
    """The header of a family's single file, and the bytes that follow it."""
    chosen = FAMILIES.get(family)
    specs = dict(single_file_map(chosen, random_specs(chosen)).specs)
    return encode_header(specs, {})[0], sum(spec.nbytes for spec in specs.values())


def make_models(folder: Path, specs: Mapping[str, TensorSpec], count: int) -> list[Path]:
    """A base and `count - 1` fine-tunes of it; what is there already is used again."""
    folder.mkdir(parents=True, exist_ok=True)
    pool = torch.randn(_POOL, generator=torch.Generator().manual_seed(0))
    paths = [folder / f"m{number}.safetensors" for number in range(count)]
    for number, path in enumerate(paths):
        if not path.exists():
            _write(path, specs, pool, number)
    return paths


def _write(path: Path, specs: Mapping[str, TensorSpec], pool: Tensor, number: int) -> None:
    places = {name: place for place, name in enumerate(specs)}

    def pieces(name: str) -> Iterator[tuple[int, Tensor]]:
        spec = specs[name]
        for start in range(0, spec.numel, _CHUNK):
            count = min(_CHUNK, spec.numel - start)
            at = 7919 * places[name] + start
            values = SPREAD * _from_pool(pool, at, count)
            if number:
                values += STEP * _from_pool(pool, at + 4999999 * number, count)
            yield start, values.half()

    write_safetensors(path, specs, pieces)


def _from_pool(pool: Tensor, at: int, count: int) -> Tensor:
    """`count` numbers from `at` on, around the pool's end if need be."""
    at %= _POOL
    return torch.cat([pool[at : at + count], pool[: max(0, at + count - _POOL)]])
