"""Tensors and files the tests are made of."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

import torch
from hypothesis import strategies as st
from torch import Tensor

from sdmerge.tensors.dtypes import TORCH, as_bytes
from sdmerge.tensors.spec import ITEMSIZE, TensorSpec
from sdmerge.tensors.writer import SafetensorsWriter

ALPHABET = "ab._0/\\\"'\n\0 é浮😀"
EVERY_DTYPE = {code: TensorSpec(code, (3, 5)) for code in ITEMSIZE}
ODD_SHAPES = {
    "scalar": TensorSpec("F16", ()),
    "one": TensorSpec("F32", (1,)),
    "v_pred": TensorSpec("F32", (0,)),
    "none.of.4": TensorSpec("BF16", (4, 0, 2)),
}


def random_flat(spec: TensorSpec, seed: int = 0) -> Tensor:
    """Random bits as a flat tensor of the spec's dtype; booleans are 0 or 1."""
    bits = torch.Generator().manual_seed(seed)
    top = 2 if spec.dtype == "BOOL" else 256
    raw = torch.randint(0, top, (spec.nbytes,), dtype=torch.uint8, generator=bits)
    return raw.view(TORCH[spec.dtype])


def random_tensors(specs: Mapping[str, TensorSpec]) -> dict[str, Tensor]:
    """A random flat tensor for every spec, each another."""
    return {name: random_flat(spec, seed) for seed, (name, spec) in enumerate(specs.items())}


def same_bits(first: Tensor, second: Tensor) -> bool:
    """Whether both hold the same bytes in C order and dtype; NaNs count by their bits."""
    flat = [tensor.reshape(-1).contiguous() for tensor in (first, second)]
    return first.dtype == second.dtype and bytes(as_bytes(flat[0])) == bytes(as_bytes(flat[1]))


def save(
    path: Path, specs: Mapping[str, TensorSpec], metadata: Mapping[str, str] | None = None
) -> dict[str, Tensor]:
    """Write random tensors of these specs with our writer, and return them."""
    tensors = random_tensors(specs)
    with SafetensorsWriter(path, specs, metadata or {}) as writer:
        for name, flat in tensors.items():
            writer.write(name, flat)
    return tensors


def raw_file(path: Path, header: object, data: bytes = b"") -> Path:
    """A safetensors file with any header, right or wrong."""
    raw = header if isinstance(header, bytes) else json.dumps(header).encode()
    path.write_bytes(len(raw).to_bytes(8, "little") + raw + data)
    return path


def names_in(folder: Path) -> list[str]:
    """The names in a folder, sorted."""
    return sorted(item.name for item in folder.iterdir())


def spec_sets() -> st.SearchStrategy[dict[str, TensorSpec]]:
    """Any few tensors: every dtype, any name, 0 to 4 dimensions, empty ones too."""
    specs = st.builds(
        TensorSpec,
        st.sampled_from(sorted(ITEMSIZE)),
        st.lists(st.integers(0, 5), max_size=4).map(tuple),
    )
    return st.dictionaries(st.text(ALPHABET, max_size=8), specs, max_size=6)
