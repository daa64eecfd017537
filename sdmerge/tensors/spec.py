"""What is known of a tensor before its bytes are read: its dtype and its shape."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from sdmerge.errors import FileError, InputError, SdmergeError, nearest

ITEMSIZE: Mapping[str, int] = MappingProxyType(
    {
        "F64": 8,
        "F32": 4,
        "F16": 2,
        "BF16": 2,
        "F8_E4M3": 1,
        "F8_E5M2": 1,
        "F8_E8M0": 1,
        "F8_E4M3FNUZ": 1,
        "F8_E5M2FNUZ": 1,
        "I64": 8,
        "I32": 4,
        "I16": 2,
        "I8": 1,
        "U64": 8,
        "U32": 4,
        "U16": 2,
        "U8": 1,
        "BOOL": 1,
        "C64": 8,
    }
)

# F8_E8M0 has neither sign nor fraction: it holds exponents of block scales, never weights.
_FLOATS = frozenset(
    {"F64", "F32", "F16", "BF16", "F8_E4M3", "F8_E5M2", "F8_E4M3FNUZ", "F8_E5M2FNUZ"}
)
NARROW = _FLOATS - {"F64", "F32"}
"""The dtypes that cannot hold every float32."""

DTYPE_NAMES: Mapping[str, str] = MappingProxyType(
    {
        "float64": "F64",
        "fp64": "F64",
        "double": "F64",
        "float32": "F32",
        "fp32": "F32",
        "float": "F32",
        "float16": "F16",
        "fp16": "F16",
        "half": "F16",
        "bfloat16": "BF16",
        "bf16": "BF16",
        "float8_e4m3fn": "F8_E4M3",
        "float8_e4m3": "F8_E4M3",
        "fp8_e4m3fn": "F8_E4M3",
        "fp8_e4m3": "F8_E4M3",
        "float8_e5m2": "F8_E5M2",
        "fp8_e5m2": "F8_E5M2",
        "float8_e4m3fnuz": "F8_E4M3FNUZ",
        "float8_e5m2fnuz": "F8_E5M2FNUZ",
    }
)


@dataclass(frozen=True, slots=True)
class TensorSpec:
    """A tensor's dtype, as safetensors writes it ("F16", "BF16", …), and its shape."""

    dtype: str
    shape: tuple[int, ...]

    @property
    def numel(self) -> int:
        """Number of elements; 1 for a 0-d tensor, 0 for an empty one."""
        return math.prod(self.shape)

    @property
    def nbytes(self) -> int:
        """Bytes the tensor takes in a file."""
        return self.numel * ITEMSIZE[self.dtype]

    @property
    def is_float(self) -> bool:
        """Whether the tensor holds real numbers that can be merged."""
        return self.dtype in _FLOATS


def parse_dtype(word: str) -> str:
    """The safetensors code of a dtype a user may store weights in: "fp16" → "F16"."""
    name = word.strip().lower().removeprefix("torch.")
    code = DTYPE_NAMES.get(name, name.upper())
    if code not in _FLOATS:
        hint = nearest(name, DTYPE_NAMES) or "Known: float32, float16, bfloat16, float8_e4m3fn, …"
        raise InputError(f"'{word}' is not a dtype that weights can be stored in", hint=hint)
    return code


def element_range(
    specs: Mapping[str, TensorSpec], name: str, start: int, stop: int | None, where: str
) -> tuple[int, int]:
    """`start` and `stop` with the end filled in, checked against the tensor's size."""
    spec = specs.get(name)
    if spec is None:
        raise FileError(f"has no tensor '{name}'", where=where, hint=nearest(name, specs))
    end = spec.numel if stop is None else stop
    if not 0 <= start <= end <= spec.numel:
        what = f"elements {start} to {end} of '{name}' were asked for; it has {spec.numel}"
        raise SdmergeError(what, where=where)
    return start, end
