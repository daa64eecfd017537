"""FileSink: one .safetensors file in the family's single-file layout."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from torch import Tensor

from sdmerge.errors import InputError
from sdmerge.families.export import single_file_map
from sdmerge.families.keymap import KeyMap, identity
from sdmerge.plan import Plan, Task
from sdmerge.sinks.pipeline import component_configs
from sdmerge.sinks.provenance import HASH_SLOT, file_metadata
from sdmerge.sinks.sink import Pieces, reading_order
from sdmerge.tensors.writer import SafetensorsWriter


def check_file(path: Path, *, force: bool, hint: str = "") -> None:
    """An InputError where no .safetensors file can be written to `path`; nothing is written."""
    if path.suffix.lower() not in (".safetensors", ".sft"):
        hint = f"Call it {path.name}.safetensors.{hint}"
        raise InputError("a single file ends with .safetensors", where=str(path), hint=hint)
    if path.exists() and not force:
        hint = "Choose another name, or pass --force to replace it."
        raise InputError("exists already", where=str(path), hint=hint)
    if path.is_dir():
        raise InputError("is a folder", where=str(path), hint="Choose another name.")


class FileSink:
    """Writes `path`. Until `commit` there is only a partial file, which goes away on any error."""

    def __init__(self, path: Path, *, force: bool = False) -> None:
        check_file(path, force=force, hint=" Or end it with / for a diffusers folder.")
        self.path = path
        self._writer: SafetensorsWriter | None = None
        self._pieces: Pieces | None = None

    @property
    def tensor_hash(self) -> str:
        """sha256 of the tensor bytes, once committed: the result's identity."""
        assert self._writer is not None, "the sink was not opened"
        return self._writer.tensor_hash

    def open(self, plan: Plan) -> None:
        layout = file_layout(plan)
        metadata = file_metadata(plan, self.path.parent, self.path.stem, component_configs(plan))
        self.path.parent.mkdir(parents=True, exist_ok=True)
        self._writer = SafetensorsWriter(self.path, layout.specs, metadata, HASH_SLOT)
        self._pieces = Pieces(layout, self._writer)

    def order(self, plan: Plan) -> Sequence[str]:
        return reading_order(file_layout(plan))

    def put(self, task: Task, tensor: Tensor) -> None:
        assert self._pieces is not None, "the sink was not opened"
        self._pieces.put(task.key, tensor)

    def commit(self) -> None:
        assert self._writer is not None, "the sink was not opened"
        self._writer.commit()

    def abort(self) -> None:
        if self._writer is not None:
            self._writer.abort()


def file_layout(plan: Plan) -> KeyMap:
    """How the plan's tensors lie in a single file; models of no known family keep their names."""
    specs = {task.key: task.spec for task in plan.tasks}
    if not plan.family.components:
        return identity(specs, {key: key for key in specs})
    return single_file_map(plan.family, specs)
