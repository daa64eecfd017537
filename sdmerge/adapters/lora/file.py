"""A LoRA file by itself: its modules, ranks and kinds, before it is known what it changes."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from sdmerge.adapters.lora.binding import bind_modules, some
from sdmerge.adapters.lora.kinds import Delta
from sdmerge.adapters.lora.module import Contents, LoraModule, Unread, contents
from sdmerge.adapters.lora.names import split_key, split_module
from sdmerge.adapters.lora.scaling import CONFIG_NAME, METADATA_KEY, scaling_of
from sdmerge.adapters.lora.source import Change, LoraSource
from sdmerge.adapters.source import Space
from sdmerge.errors import FileError
from sdmerge.families.family import Family
from sdmerge.families.keymap import KeyMap
from sdmerge.tensors.spec import TensorSpec
from sdmerge.tensors.store import TensorStore

FileModule = LoraModule | Unread


@dataclass(frozen=True, slots=True)
class LoraFile:
    """A LoRA as it lies in its file."""

    store: TensorStore
    files: tuple[Path, ...]
    contents: Contents

    @staticmethod
    def is_lora(specs: Mapping[str, TensorSpec]) -> bool:
        """Whether a header is an adapter's: half of its keys or more end as only adapters' do."""
        others, found = 0, False
        for key in specs:
            slot = split_key(key)
            found = found or (slot is not None and slot.role != "alpha")
            others += slot is None
            if 2 * others > len(specs):  # a checkpoint, as half of its keys say
                return False
        return found

    @property
    def path(self) -> Path:
        """What was opened."""
        return self.store.path

    @property
    def metadata(self) -> Mapping[str, str]:
        """The header's metadata, with what the trainer wrote (`ss_…`)."""
        return self.store.metadata

    @property
    def modules(self) -> tuple[LoraModule, ...]:
        """The modules, in the file's order."""
        return self.contents.modules

    @property
    def every_module(self) -> tuple[FileModule, ...]:
        """Those that are not read as well; a tensor of no adapter is a FileError."""
        self._refuse_strange()
        return (*self.modules, *self.contents.unread)

    @property
    def kinds(self) -> Mapping[str, int]:
        """How many modules there are of each kind: LoRA, LoHa, DoRA, …"""
        return Counter(one.kind for one in (*self.modules, *self.contents.unread))

    @property
    def ranks(self) -> Mapping[int, int]:
        """How many modules there are of each rank, from the smallest on."""
        return dict(sorted(Counter(one.rank for one in self.modules if one.rank).items()))

    @property
    def magnitudes(self) -> Mapping[str, int]:
        """How many DoRA modules there are by what their magnitudes belong to: output or input."""
        return Counter(module.axis for module in self.modules if module.axis)

    @property
    def dialect(self) -> str:
        """Whose spelling most modules are in: kohya, diffusers, peft, comfyui, onetrainer, …"""
        names = [split_module(name) for name in self._names()]
        return Counter(name.dialect for name in names).most_common(1)[0][0] if names else ""

    @property
    def components(self) -> Mapping[str, int]:
        """How many modules there are of each component; "" where the names leave it open."""
        parsed = (split_module(name) for name in self._names())
        return Counter(name.components[0] if name.components else "" for name in parsed)

    @property
    def states_scale(self) -> bool:
        """Whether the file, or a configuration beside it, says what factors are scaled by."""
        alpha = any(module.alpha is not None or not module.rank for module in self.modules)
        return alpha or METADATA_KEY in self.metadata or len(self.files) > len(self.store.files)

    def bind(
        self,
        family: Family,
        specs: Mapping[str, TensorSpec],
        single_file: KeyMap | None = None,
        *,
        partial: bool = False,
    ) -> LoraSource:
        """The LoRA as a change of a base model with these canonical tensors.

        `single_file` says how these make a single file (`single_file_map`), by whose names modules
        may go. One that is not understood, not found or of another shape is an error; with
        `partial` it is left out, and listed.
        """
        self._refuse(partial=partial)
        bound = bind_modules(self.modules, self.path, family, specs, single_file, partial=partial)
        changed = {key: TensorSpec("F32", spec.shape) for key, spec in specs.items()
                   if key in bound.changes}  # fmt: skip
        edits = (change.edit for changes in bound.changes.values() for change in changes)
        space: Space = "delta" if all(isinstance(edit, Delta) for edit in edits) else "operator"
        unread = (module.name for module in self.contents.unread)
        left_out = (*bound.left_out, *unread, *self.contents.strange)
        return LoraSource(
            self.store, self.files, family, self.dialect, changed, bound.changes, space, left_out,
            self._shares(bound.changes),
        )  # fmt: skip

    def close(self) -> None:
        """Let go of the file."""
        self.store.close()

    def _names(self) -> list[str]:
        return [module.name for module in (*self.modules, *self.contents.unread)]

    def _refuse(self, *, partial: bool) -> None:
        """An adapter that is not understood would be wrong, or incomplete, without its rest."""
        where = str(self.path)
        if self.modules and partial:
            return
        if unread := self.contents.unread:
            counts = Counter(module.kind for module in unread)
            kinds = ", ".join(f"{kind} ({count})" for kind, count in counts.items())
            names = some(module.name for module in unread)
            what = f"holds modules of kinds that are not read: {kinds}; {names}"
            raise FileError(what, where=where, hint="Convert it to a plain LoRA, or bake it.")
        self._refuse_strange()
        if not self.modules:
            raise FileError("is not a LoRA: it has no up and down factors", where=where)

    def _shares(self, changes: Mapping[str, Sequence[Change]]) -> dict[str, int]:
        """How many of the file's bytes each tensor's change takes.

        What several tensors have in common is counted with the first of them.
        """
        specs = self.store.specs
        left = {
            module.name: sum(specs[key].nbytes for key in module.keys.values())
            for module in self.modules
        }
        return {
            key: sum(left.pop(change.module, 0) for change in own) for key, own in changes.items()
        }

    def _refuse_strange(self) -> None:
        if strange := self.contents.strange:
            what = f"holds {len(strange)} tensors that are no part of a LoRA: {some(strange)}"
            raise FileError(what, where=str(self.path))


def open_lora(store: TensorStore) -> LoraFile:
    """The LoRA in a store; one whose factors do not belong together is a CorruptFile."""
    config = store.path.parent / CONFIG_NAME
    saved_by_peft = any(key.startswith("base_model.model.") for key in store.specs)
    beside = config if saved_by_peft and config.is_file() else None
    scaling = scaling_of(store.metadata, store.path, beside)
    files = (*store.files, beside) if beside else store.files
    return LoraFile(store, files, contents(store, scaling))
