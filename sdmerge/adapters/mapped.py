"""A store seen through a key map: canonical tensors, copied together from a file's tensors."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Literal

import torch
from torch import Tensor

from sdmerge.families.family import Family
from sdmerge.families.keymap import KeyMap, Piece
from sdmerge.tensors.dtypes import TORCH
from sdmerge.tensors.filling import Filler, filler_of
from sdmerge.tensors.spec import TensorSpec
from sdmerge.tensors.store import TensorStore


class MappedSource:
    """A checkpoint whose canonical tensors are pieces of the tensors of one or more stores.

    `stores` maps the head of a source name (up to the first ".") to its store; a single file has
    one store under "". `missing` are tensors it should have, `left_out` those that nobody reads.
    """

    space: Literal["weight"] = "weight"

    def __init__(
        self,
        path: Path | None,
        stores: Mapping[str, TensorStore],
        keymap: KeyMap,
        *,
        family: Family,
        layout: str,
        variant: str = "",
        missing: tuple[str, ...] = (),
        left_out: tuple[str, ...] = (),
    ) -> None:
        self.path = path
        self.family = family
        self.layout = layout
        self.variant = variant
        self.missing = missing
        self.left_out = left_out
        self.specs: Mapping[str, TensorSpec] = keymap.specs
        self.files = tuple(file for store in stores.values() for file in store.files)
        self.metadata = {
            key: value for store in stores.values() for key, value in store.metadata.items()
        }
        self.stores = stores
        self._keymap = keymap

    def over(self, wrap: Callable[[TensorStore], TensorStore]) -> MappedSource:
        """The same tensors, read from what `wrap` makes of each store."""
        return MappedSource(
            self.path,
            {head: wrap(store) for head, store in self.stores.items()},
            self._keymap,
            family=self.family,
            layout=self.layout,
            variant=self.variant,
            missing=self.missing,
            left_out=self.left_out,
        )

    def read(self, key: str, start: int = 0, stop: int | None = None) -> Tensor:
        """Elements [start, stop) of the canonical tensor `key`, flat, in the stored dtype."""
        stop = self.specs[key].numel if stop is None else stop
        pieces = self._keymap.pieces[key]
        if len(pieces) == 1 and pieces[0].transpose is None:
            return self._read_piece(pieces[0], start, stop)
        flat = torch.empty(stop - start, dtype=TORCH[self.specs[key].dtype])
        for piece in pieces:
            low, high = max(start, piece.target_start), min(stop, piece.target_start + piece.count)
            if low < high:
                flat[low - start : high - start] = self._read_piece(piece, low, high)
        return flat

    def filler(self, key: str) -> Filler | None:
        """What fills buffers with elements of `key`; None where pieces are not copied plainly."""
        fillers: list[tuple[Piece, Filler]] = []
        dtype = TORCH[self.specs[key].dtype]
        for piece in self._keymap.pieces[key]:
            filler = None if piece.transpose else filler_of(*self._find(piece.source))
            if filler is None or filler.dtype != dtype:
                return None
            fillers.append((piece, filler))

        def fill_all(out: Tensor, start: int) -> None:
            for piece, filler in fillers:
                low = max(start, piece.target_start)
                high = min(start + out.numel(), piece.target_start + piece.count)
                if low < high:
                    shift = piece.source_start - piece.target_start
                    filler.fill(out[low - start : high - start], low + shift)

        return Filler(fill_all, dtype)

    def files_of(self, key: str) -> tuple[Path, ...]:
        """The files that hold the tensor `key`."""
        stores = {
            id(store): store
            for piece in self._keymap.pieces[key]
            for store in [self._find(piece.source)[0]]
        }
        return tuple(file for store in stores.values() for file in store.files)

    def _read_piece(self, piece: Piece, start: int, stop: int) -> Tensor:
        """Elements [start, stop) of the target, which lie in `piece`."""
        store, name = self._find(piece.source)
        low, high = start - piece.target_start, stop - piece.target_start
        if piece.transpose is None:
            return store.read(name, piece.source_start + low, piece.source_start + high)
        rows, columns = piece.transpose
        return store.read(name).reshape(rows, columns).t().reshape(-1)[low:high]

    def _find(self, source: str) -> tuple[TensorStore, str]:
        if "" in self.stores:
            return self.stores[""], source
        head, _, name = source.partition(".")
        return self.stores[head], name

    def close(self) -> None:
        """Let go of the files."""
        for store in self.stores.values():
            store.close()
