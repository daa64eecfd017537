"""Files of tensors that are drawn while they are written, however large they are."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from tempfile import TemporaryDirectory

import torch
from torch import Tensor

from sdmerge.tensors.dtypes import TORCH
from sdmerge.tensors.shards import split_into_shards
from sdmerge.tensors.spec import TensorSpec
from sdmerge.tensors.writer import SafetensorsWriter

Specs = Mapping[str, TensorSpec]
Pieces = Callable[[str], Iterable[tuple[int, Tensor]]]
"""A tensor's name → its runs, each with the element it starts at."""

PICKLES = (".ckpt", ".pt", ".bin")


def write_safetensors(path: Path, specs: Specs, pieces: Pieces) -> None:
    """One safetensors file."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with SafetensorsWriter(path, specs, {"format": "pt"}) as writer:
        for name in specs:
            for start, chunk in pieces(name):
                writer.write(name, chunk, start)


def write_shards(
    folder: Path, stem: str, specs: Specs, pieces: Pieces, shard_size: int | str
) -> None:
    """STEM.safetensors, or as many shards as it takes, and their index."""
    sizes = {name: spec.nbytes for name, spec in specs.items()}
    shards = split_into_shards(sizes, stem, shard_size)
    for file, names in shards.files.items():
        write_safetensors(folder / file, {name: specs[name] for name in names}, pieces)
    if shards.index is not None:
        (folder / shards.index_name).write_bytes(shards.index)


def write_pickle(path: Path, specs: Specs, pieces: Pieces) -> None:
    """One pickled state dict. Its tensors are drawn into a file beside it, which torch maps."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with TemporaryDirectory(dir=path.parent) as folder:
        tensors: dict[str, Tensor] = {}
        for number, (name, spec) in enumerate(specs.items()):
            tensors[name] = _mapped(Path(folder) / str(number), spec)
            for start, chunk in pieces(name):
                tensors[name].view(-1)[start : start + chunk.numel()] = chunk
        torch.save({"state_dict": tensors}, path)
        del tensors  # some systems do not delete a file that is mapped


def _mapped(path: Path, spec: TensorSpec) -> Tensor:
    dtype = TORCH[spec.dtype]
    if spec.numel == 0:
        return torch.empty(spec.shape, dtype=dtype)
    flat = torch.from_file(str(path), shared=True, size=spec.numel, dtype=dtype)
    return flat.reshape(spec.shape)
