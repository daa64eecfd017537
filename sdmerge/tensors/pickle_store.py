"""A .ckpt, .pt or .bin as a store, read by torch's restricted unpickler. Nothing in it runs."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TypeGuard

import torch
from torch import Tensor

from sdmerge.errors import FileError, SdmergeError
from sdmerge.tensors.dtypes import TORCH, code_of
from sdmerge.tensors.spec import TensorSpec, element_range
from sdmerge.tensors.unpickle import load_pickle


class PickleStore:
    """The tensors of a pickled state dict, mapped where the file's format allows it."""

    def __init__(self, path: Path, *, allow_pickle: bool) -> None:
        if not allow_pickle:
            hint = (
                "Pass --allow-pickle to read it with a restricted loader, "
                "or convert it once with `sdmerge convert`."
            )
            raise FileError("is a pickle, which can run code", where=str(path), hint=hint)
        self.path = path
        self.files: tuple[Path, ...] = (path,)
        self._tensors = _state_dict(load_pickle(path), str(path))
        self.specs: Mapping[str, TensorSpec] = {
            name: TensorSpec(code_of(tensor.dtype), tuple(tensor.shape))
            for name, tensor in self._tensors.items()
        }
        self.metadata: Mapping[str, str] = {}

    def read(self, name: str, start: int = 0, stop: int | None = None) -> Tensor:
        """A fresh flat tensor of the elements [start, stop), in the stored dtype."""
        start, stop = element_range(self.specs, name, start, stop, str(self.path))
        tensor = self._tensors.get(name)
        if tensor is None:
            raise SdmergeError("was used after it was closed", where=str(self.path))
        return _elements(tensor, start, stop)

    def close(self) -> None:
        """Let go of the file's memory."""
        self._tensors = {}


_Table = Mapping[object, object]

# Where trainers put the weights, in the order of preference.
_WRAPPERS = ("state_dict", "model_state_dict", "model", "module", "params")


def _is_table(value: object) -> TypeGuard[_Table]:
    return isinstance(value, Mapping)


def _state_dict(loaded: object, where: str) -> dict[str, Tensor]:
    """The named tensors in what was loaded, out of as many wrappers as there are."""
    table = loaded
    while _is_table(table):
        inner = _inner(table, where)
        if inner is None:
            return _tensors(table, where)
        table = inner
    raise FileError(f"holds a {type(table).__name__}, not named tensors", where=where)


def _inner(table: _Table, where: str) -> _Table | None:
    """The state dict that `table` wraps, None if it is one itself."""
    for name in _WRAPPERS:
        value = table.get(name)
        if _is_table(value):
            return value
    if any(isinstance(value, Tensor) for value in table.values()):
        return None
    inside: dict[str, _Table] = {}
    for name, value in table.items():
        if _is_table(value) and any(isinstance(item, Tensor) for item in value.values()):
            inside[str(name)] = value
    if not inside:
        raise FileError("holds no tensors", where=where)
    if len(inside) > 1:
        what = f"holds several sets of tensors: {', '.join(sorted(inside))}"
        raise FileError(what, where=where, hint="Save the one to be used in a file of its own.")
    return next(iter(inside.values()))


def _tensors(table: _Table, where: str) -> dict[str, Tensor]:
    tensors: dict[str, Tensor] = {}
    for name, value in table.items():
        if not isinstance(value, Tensor):
            continue  # step counters, version strings
        tensor = value.detach()
        if tensor.layout != torch.strided or tensor.is_quantized or tensor.device.type != "cpu":
            raise FileError(f"'{name}' is not a plain dense tensor", where=where)
        if tensor.dtype not in TORCH.values():
            raise FileError(f"'{name}' is {tensor.dtype}, which is not supported", where=where)
        tensors[str(name)] = tensor.resolve_conj().resolve_neg()
    return tensors


def _elements(tensor: Tensor, start: int, stop: int) -> Tensor:
    """A copy of the elements [start, stop) in C order, however the tensor lies in memory."""
    if not tensor.is_contiguous() and tensor.numel():
        # Only the rows concerned are laid out: a slab must not cost a copy of the whole.
        tensor = tensor.squeeze()
        row = tensor[0].numel()
        first = start // row
        tensor = tensor[first : -(-stop // row)]
        start, stop = start - first * row, stop - first * row
    return tensor.reshape(-1)[start:stop].clone(memory_format=torch.contiguous_format)
