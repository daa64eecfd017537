"""Inventory: what model files there are in a workspace, and what each of them is."""

from __future__ import annotations

import math
import os
import threading
import time
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from sdmerge.adapters import LoraFile, MappedSource, open_model
from sdmerge.adapters.embedding import is_embedding, open_embedding
from sdmerge.adapters.opened import OpenedModels
from sdmerge.errors import SdmergeError
from sdmerge.sinks.provenance import FOLDER_RECORD, read_origin
from sdmerge.tensors.dtypes import code_of

SUFFIXES = (".safetensors", ".ckpt", ".pt", ".pth", ".bin", ".gguf")
_FOLDERS = ("model_index.json", "config.json", "adapter_config.json")
_LONG = 2000


@dataclass(frozen=True, slots=True)
class Entry:
    """A model file or folder. `name` finds it in a recipe, from the roots it was found in.

    kind: checkpoint, lora or embedding; "" for a broken file, of which `error` tells, and for one
        that is `unread` as yet.
    origin: The id of the recipe that it was made by, if it says so.
    """

    name: str
    path: Path
    size: int
    kind: str = ""
    family: str = ""
    title: str = ""
    layout: str = ""
    dtype: str = ""
    origin: str = ""
    blocks: tuple[str, ...] = ()
    components: tuple[str, ...] = ()
    error: str = ""
    unread: bool = False
    facts: Mapping[str, Any] = field(default_factory=dict[str, Any], compare=False, repr=False)


class Inventory:
    """The models below some folders. Headers are read once, and again when a file changes.

    places: Where a recipe's paths are looked for, in this order; by itself in the folders. A name
    starts at one of them, and finds its model whatever else has it; a path, if none does.
    near: Where they are looked for before that.
    patience: Seconds that a list may take; what is not read by then is there by its name only, and
        is read while nobody waits. Without it everything is read.
    """

    def __init__(
        self, folders: Sequence[Path], *, places: Sequence[Path] = (), near: Sequence[Path] = (),
        opened: OpenedModels | None = None, pickles: bool = False, patience: float = math.inf,
    ) -> None:  # fmt: skip
        self.folders = tuple(folders)
        self.places = tuple(places) or self.folders
        self._near = tuple(near)
        self.opened = opened or OpenedModels()
        self._pickles = pickles
        self._patience = patience
        self._known: dict[Path, tuple[object, Entry]] = {}
        self._reading = threading.Lock()
        self._reader = threading.Thread()

    def entries(self) -> list[Entry]:
        """Every model, by name; a broken one with its error."""
        found = self._listed(time.monotonic() + self._patience)
        if any(entry.unread for entry in found) and not self._reader.is_alive():
            self._reader = threading.Thread(
                target=self._listed, args=(math.inf,), daemon=True, name="sdmerge-inventory"
            )
            self._reader.start()
        return found

    def _listed(self, end: float) -> list[Entry]:
        paths = dict.fromkeys(path for folder in self.folders for path in _models(folder))
        found = [self._entry(self._name(path), path, end) for path in paths]
        return sorted(found, key=lambda entry: entry.name.lower())

    def find(self, name: str) -> Entry | None:
        """The model that a recipe calls `name`, by its path too; None if it is not among these."""
        given = Path(name).expanduser()
        tried = [given] if given.is_absolute() else [place / given for place in self.places]
        path = next((path for path in tried if path.exists()), None)
        return None if path is None else self._entry(self._name(path), path)

    def _name(self, path: Path) -> str:
        for count, place in enumerate(self.places):
            if path.is_relative_to(place):
                name = path.relative_to(place)
                if not any((one / name).exists() for one in (*self._near, *self.places[:count])):
                    return name.as_posix()
        return str(path)

    def _entry(self, name: str, path: Path, end: float = math.inf) -> Entry:
        """What lies at a path; its name alone if it was not read before and `end` is over."""
        stamp = _stamp(path)
        known = self._known.get(path)
        if known is None or known[0] != stamp:
            if time.monotonic() >= end:
                return Entry(name, path, sum(size for _, size, _ in stamp), unread=True)
            with self._reading:  # one file at a time, and by one of those who want it
                known = self._known.get(path)
                if known is None or known[0] != stamp:
                    known = stamp, self._read(name, path)
                    self._known[path] = known
        if known[1].name != name:
            known = stamp, replace(known[1], name=name)
            self._known[path] = known
        return known[1]

    def _read(self, name: str, path: Path) -> Entry:
        size = sum(file.stat().st_size for file in _files(path))
        try:
            facts = describe(path, allow_pickle=self._pickles, opened=self.opened)
        except SdmergeError as error:
            return Entry(name, path, size, error=str(error))
        model = None
        if facts["kind"] == "checkpoint":
            model = self.opened.open(path, allow_pickle=self._pickles)
        is_known = isinstance(model, MappedSource) and bool(model.family.components)
        dtypes: dict[str, int] = facts.get("dtypes", {})
        return Entry(
            name, path, size, facts["kind"], facts["family"] or "", facts.get("title", ""),
            facts.get("layout") or facts.get("dialect") or facts.get("form", ""),
            max(dtypes, key=lambda one: dtypes[one], default=""),
            _origin(path, facts),
            model.family.blocks if isinstance(model, MappedSource) and is_known else (),
            tuple(facts["components"]) if is_known else (),
            facts=facts,
        )  # fmt: skip


def describe(
    path: Path, *, allow_pickle: bool = False, opened: OpenedModels | None = None
) -> dict[str, Any]:
    """What the model at `path` is, as plain data; an error of ours if it is none."""
    if is_embedding(path, allow_pickle=allow_pickle):
        return _embedding(path, allow_pickle=allow_pickle)
    reader = opened.open if opened is not None else open_model
    model = reader(path, allow_pickle=allow_pickle)
    if isinstance(model, LoraFile):
        return {
            "path": str(path),
            "kind": "lora",
            "family": None,
            "dialect": model.dialect,
            "kinds": dict(model.kinds),
            "ranks": {str(rank): count for rank, count in model.ranks.items()},
            "magnitudes": dict(model.magnitudes),
            "components": dict(model.components),
            "metadata": dict(model.metadata),
        }
    return _checkpoint(path, model)


def _checkpoint(path: Path, model: MappedSource) -> dict[str, Any]:
    components = Counter(key.split(".", 1)[0] for key in model.specs)
    return {
        "path": str(path),
        "kind": "checkpoint",
        "family": model.family.name,
        "title": model.family.title,
        "variant": model.variant,
        "layout": model.layout,
        "tensors": len(model.specs),
        "parameters": sum(spec.numel for spec in model.specs.values()),
        "bytes": sum(spec.nbytes for spec in model.specs.values()),
        "components": dict(components) if model.family.components else {},
        "dtypes": dict(Counter(spec.dtype for spec in model.specs.values())),
        "missing": list(model.missing),
        "left_out": list(model.left_out),
        "metadata": {key: value for key, value in model.metadata.items() if len(value) < _LONG},
    }


def _embedding(path: Path, *, allow_pickle: bool) -> dict[str, Any]:
    found = open_embedding(path, allow_pickle=allow_pickle)
    return {
        "path": str(path),
        "kind": "embedding",
        "family": None,
        "form": found.form,
        "token": found.token,
        "vectors": found.count,
        "widths": dict(found.widths),
        "dtypes": dict(Counter(code_of(one.dtype) for one in found.vectors.values())),
        "lengths": {
            name: [round(length, 4) for length in row] for name, row in found.lengths.items()
        },
        "metadata": dict(found.facts),
    }


def _origin(path: Path, facts: Mapping[str, Any]) -> str:
    """The id of the recipe that a model was made by, which a folder keeps in a file of its own."""
    if (path / FOLDER_RECORD).is_file():
        try:
            return read_origin(path).recipe_id
        except SdmergeError:
            return ""
    return facts["metadata"].get("sdmerge.recipe_id", "")


def _models(root: Path) -> Iterator[Path]:
    """Model files and folders below `root`. A pipeline's folder is one, links are not followed."""
    for place, folders, files in os.walk(root):
        folder = Path(place)
        if folder != root and any(name in files for name in _FOLDERS):
            folders.clear()
            yield folder
            continue
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        for name in sorted(files):
            if name.lower().endswith(SUFFIXES) and not name.startswith("."):
                yield folder / name


def _files(path: Path) -> list[Path]:
    return [file for file in path.rglob("*") if file.is_file()] if path.is_dir() else [path]


def _stamp(path: Path) -> tuple[tuple[str, int, int], ...]:
    """Size and time of the files; what is cached holds as long as these do."""
    found = ((file, file.stat()) for file in sorted(_files(path)))
    return tuple((str(file), status.st_size, status.st_mtime_ns) for file, status in found)
