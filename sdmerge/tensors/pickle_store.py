"""A .ckpt, .pt or .bin as a store, read by torch's restricted unpickler. Nothing in it runs."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from torch import Tensor

from sdmerge.errors import FileError
from sdmerge.tensors.spec import TensorSpec


class PickleStore:
    """The tensors of a pickled state dict."""

    path: Path
    files: tuple[Path, ...]
    specs: Mapping[str, TensorSpec]
    metadata: Mapping[str, str]

    def __init__(self, path: Path, *, allow_pickle: bool) -> None:
        raise FileError("is a pickle", where=str(path))

    def read(self, name: str, start: int = 0, stop: int | None = None) -> Tensor:
        """A fresh flat tensor of the elements [start, stop), in the stored dtype."""
        raise NotImplementedError

    def close(self) -> None:
        """Let go of the file."""
