"""FolderSink: a folder that `DiffusionPipeline.from_pretrained` loads."""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path

from torch import Tensor

from sdmerge.errors import InputError
from sdmerge.families.export import component_map
from sdmerge.families.keymap import KeyMap, identity
from sdmerge.plan import Plan, Task
from sdmerge.sinks.pipeline import component_names, side_files
from sdmerge.sinks.provenance import FOLDER_RECORD, record
from sdmerge.sinks.sink import Pieces, reading_order
from sdmerge.tensors.partial_folder import (
    partial_folder,
    publish_folder,
    remove_stale_folders,
)
from sdmerge.tensors.positional import PositionalFile
from sdmerge.tensors.shards import split_into_shards
from sdmerge.tensors.space import free_space_for
from sdmerge.tensors.writer import SafetensorsWriter

SHARD_SIZE = "10GB"


class FolderSink:
    """Writes `path` as a whole: everything goes to a partial folder that is renamed at the end."""

    def __init__(self, path: Path, *, force: bool = False, shard_size: str = SHARD_SIZE) -> None:
        if path.is_file():
            raise InputError(
                "is a file, not a folder", where=str(path), hint="Choose another name."
            )
        if path.exists() and any(path.iterdir()) and not force:
            hint = "Choose another name, or pass --force to replace it."
            raise InputError("exists already", where=str(path), hint=hint)
        if path.exists() and any(path.iterdir()) and not _is_model(path):
            hint = "--force would delete other things than a model; choose another name."
            raise InputError("is not a model's folder", where=str(path), hint=hint)
        self.path = path
        self._partial = partial_folder(path)
        self._shard_size = shard_size
        self._writers: list[SafetensorsWriter] = []
        self._pieces: dict[str, Pieces] = {}

    def open(self, plan: Plan) -> None:
        files = side_files(plan)
        free_space_for(self.path, sum(task.spec.nbytes for task in plan.tasks))
        files[FOLDER_RECORD] = json.dumps(
            record(plan, self.path.parent), indent=2, ensure_ascii=False
        ).encode()
        remove_stale_folders(self.path)
        for name, data in files.items():
            self._write(self._partial / name, data)
        for stem, layout in _layouts(plan).items():
            self._open_component(stem, layout)

    def _write(self, target: Path, data: bytes) -> None:
        target.parent.mkdir(parents=True, exist_ok=True)
        shown = self.path / target.relative_to(self._partial)
        with PositionalFile.create(target, shown_as=shown) as file:
            file.write(data, 0)

    def _open_component(self, stem: str, layout: KeyMap) -> None:
        """The writers of one component, in as many shards as the size asks for."""
        target = self._partial / stem
        target.parent.mkdir(parents=True, exist_ok=True)
        sizes = {name: spec.nbytes for name, spec in layout.specs.items()}
        shards = split_into_shards(sizes, target.name, self._shard_size)
        if shards.index is not None:
            self._write(target.parent / shards.index_name, shards.index)
        for name, keys in shards.files.items():
            part = KeyMap(
                {key: layout.specs[key] for key in keys},
                {key: layout.pieces[key] for key in keys},
                layout.sources,
            )
            writer = SafetensorsWriter(target.parent / name, part.specs, {"format": "pt"})
            self._writers.append(writer)
            pieces = Pieces(part, writer)
            self._pieces.update(dict.fromkeys(reading_order(part), pieces))

    def order(self, plan: Plan) -> Sequence[str]:
        return [key for layout in _layouts(plan).values() for key in reading_order(layout)]

    def put(self, task: Task, tensor: Tensor) -> None:
        self._pieces[task.key].put(task.key, tensor)

    def commit(self) -> None:
        for writer in self._writers:
            writer.commit()
        publish_folder(self._partial, self.path)

    def abort(self) -> None:
        for writer in self._writers:
            with suppress(OSError):
                writer.abort()
        shutil.rmtree(self._partial, ignore_errors=True)


def _is_model(path: Path) -> bool:
    """Whether --force may replace the folder: it is a pipeline, or a result of ours."""
    if any((path / name).is_file() for name in ("model_index.json", FOLDER_RECORD)):
        return True
    # many a project has a config.json; beside weights it is a model's
    return (path / "config.json").is_file() and any(path.glob("*.safetensors"))


def _layouts(plan: Plan) -> Mapping[str, KeyMap]:
    """Per component the path of its file without the ending, and how its tensors lie in it."""
    specs = {task.key: task.spec for task in plan.tasks}
    if not plan.family.components:
        return {"model": identity(specs, {key: key for key in specs})}
    return {
        f"{name}/{plan.family.component(name).stem}": component_map(plan.family, name, specs)
        for name in component_names(plan)
    }
