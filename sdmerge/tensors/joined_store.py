"""Several stores as one, each store's tensors under a name of its own: "unet.conv_in.weight"."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from torch import Tensor

from sdmerge.tensors.spec import TensorSpec
from sdmerge.tensors.store import TensorStore


class JoinedStore:
    """The tensors of all stores, with "NAME." before theirs."""

    def __init__(self, path: Path, stores: Mapping[str, TensorStore]) -> None:
        self.path = path
        self._stores = stores
        self.files = tuple(file for store in stores.values() for file in store.files)
        self.specs: Mapping[str, TensorSpec] = {
            f"{name}.{key}": spec
            for name, store in stores.items()
            for key, spec in store.specs.items()
        }
        self.metadata: Mapping[str, str] = {
            key: text for store in stores.values() for key, text in store.metadata.items()
        }

    def read(self, name: str, start: int = 0, stop: int | None = None) -> Tensor:
        """A fresh flat tensor of the elements [start, stop), from the store that holds it."""
        head, _, key = name.partition(".")
        return self._stores[head].read(key, start, stop)

    def close(self) -> None:
        """Close every store."""
        for store in self._stores.values():
            store.close()
