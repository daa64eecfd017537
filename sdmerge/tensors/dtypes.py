"""safetensors' dtype codes as torch dtypes, and a tensor's memory as bytes."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

import torch
from torch import Tensor

from sdmerge.errors import SdmergeError

TORCH: Mapping[str, torch.dtype] = MappingProxyType(
    {
        "F64": torch.float64,
        "F32": torch.float32,
        "F16": torch.float16,
        "BF16": torch.bfloat16,
        "F8_E4M3": torch.float8_e4m3fn,
        "F8_E5M2": torch.float8_e5m2,
        "F8_E8M0": torch.float8_e8m0fnu,
        "F8_E4M3FNUZ": torch.float8_e4m3fnuz,
        "F8_E5M2FNUZ": torch.float8_e5m2fnuz,
        "I64": torch.int64,
        "I32": torch.int32,
        "I16": torch.int16,
        "I8": torch.int8,
        "U64": torch.uint64,
        "U32": torch.uint32,
        "U16": torch.uint16,
        "U8": torch.uint8,
        "BOOL": torch.bool,
        "C64": torch.complex64,
    }
)

_CODES: Mapping[torch.dtype, str] = {dtype: code for code, dtype in TORCH.items()}


def code_of(dtype: torch.dtype) -> str:
    """The safetensors code of a torch dtype: torch.float16 → "F16"."""
    if dtype not in _CODES:
        raise SdmergeError(f"safetensors has no code for {dtype}")
    return _CODES[dtype]


def as_bytes(flat: Tensor) -> memoryview:
    """The memory of a contiguous 1-D CPU tensor, shared with it, not copied."""
    return flat.detach().view(torch.uint8).numpy().data
