"""Several files with an index as one store: `model.safetensors.index.json` and its shards."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, cast

from torch import Tensor

from sdmerge.errors import CorruptFile, FileError
from sdmerge.tensors.filling import Filler, filler_of
from sdmerge.tensors.positional import PositionalFile
from sdmerge.tensors.spec import TensorSpec, element_range
from sdmerge.tensors.strict_json import load_object

if TYPE_CHECKING:  # store.py opens the shards, and imports this file for it
    from sdmerge.tensors.store import TensorStore

_LARGEST_INDEX = 100_000_000


class ShardedStore:
    """The tensors of all shards that an index names."""

    def __init__(self, path: Path, open_shard: Callable[[Path], TensorStore]) -> None:
        self.path = path
        weight_map = _weight_map(path)
        names = tuple(dict.fromkeys(weight_map.values()))
        _check_present(path, names)
        self._shards: dict[str, TensorStore] = {}
        try:
            for name in names:
                self._shards[name] = open_shard(path.parent / name)
            self._holder = _holders(path, weight_map, self._shards)
        except BaseException:
            self.close()
            raise
        self.files: tuple[Path, ...] = (path, *(path.parent / name for name in names))
        self.specs: Mapping[str, TensorSpec] = {
            key: self._shards[name].specs[key] for key, name in self._holder.items()
        }
        self.metadata: Mapping[str, str] = _first_wins(
            [shard.metadata for shard in self._shards.values()]
        )

    def read(self, name: str, start: int = 0, stop: int | None = None) -> Tensor:
        """A fresh flat tensor of the elements [start, stop), from the shard that holds it."""
        start, stop = element_range(self.specs, name, start, stop, str(self.path))
        return self._shards[self._holder[name]].read(name, start, stop)

    def filler(self, name: str) -> Filler | None:
        """What fills buffers with elements of `name`, if its shard can."""
        element_range(self.specs, name, 0, None, str(self.path))
        return filler_of(self._shards[self._holder[name]], name)

    def close(self) -> None:
        """Close every shard."""
        for shard in self._shards.values():
            shard.close()


def _weight_map(path: Path) -> dict[str, str]:
    """Tensor name → shard name, as the index has it."""
    where = str(path)
    with PositionalFile.open(path) as file:
        if file.size > _LARGEST_INDEX:
            raise CorruptFile("is far too large for an index", where=where)
        raw = bytearray(file.size)
        file.read_into(memoryview(raw), 0)
    table = load_object(bytes(raw), what="the index", where=where).get("weight_map")
    if not isinstance(table, dict) or not table:
        raise CorruptFile("the index has no weight_map", where=where)
    weight_map: dict[str, str] = {}
    for key, name in cast("dict[str, object]", table).items():
        if not isinstance(name, str) or not _is_shard_name(name):
            raise CorruptFile(f"the index puts '{key}' in no valid file: {name!r:.60}", where=where)
        weight_map[key] = name
    return weight_map


def _is_shard_name(name: str) -> bool:
    # A name with a path in it could reach any file on the disk, an index itself without end.
    plain = name not in ("", ".", "..") and not set(name) & set("/\\:\0")
    return plain and not name.lower().endswith(".json")


def _check_present(path: Path, names: Sequence[str]) -> None:
    missing = [name for name in names if not (path.parent / name).is_file()]
    if missing:
        shown = ", ".join(missing[:3]) + (", …" if len(missing) > 3 else "")
        what = f"{len(missing)} of the {len(names)} files it names are missing: {shown}"
        raise FileError(what, where=str(path), hint="Download them into the same folder.")


def _holders(
    path: Path, weight_map: Mapping[str, str], shards: Mapping[str, TensorStore]
) -> dict[str, str]:
    """Tensor name → shard name, for every tensor of every shard, in the shards' order.

    Loaders take tensors that the index forgot, so they count here too.
    """
    for key, name in weight_map.items():
        if key not in shards[name].specs:
            raise CorruptFile(f"'{key}' is not in {name}, where the index has it", where=str(path))
    holder: dict[str, str] = {}
    for name, shard in shards.items():
        for key in shard.specs:
            if weight_map.get(key, name) != name:
                continue
            if key in holder:
                what = f"'{key}' is in both {holder[key]} and {name}, and not in the index"
                raise CorruptFile(what, where=str(path))
            holder[key] = name
    return holder


def _first_wins(tables: Sequence[Mapping[str, str]]) -> dict[str, str]:
    merged: dict[str, str] = {}
    for table in tables:
        merged = {**table, **merged}
    return merged
