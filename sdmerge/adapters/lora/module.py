"""The modules of a file, put together from its keys: what each changes, and by which kind."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from sdmerge.adapters.lora.kinds import Dora, Edit, Keys, edits
from sdmerge.adapters.lora.names import PLAIN, ModuleName, Slot, split_key, split_module
from sdmerge.adapters.lora.scaling import Scaling
from sdmerge.errors import CorruptFile
from sdmerge.tensors.store import TensorStore

_ALONE = ("DoRA", "Tucker LoRA", "LoRA with a bias")
"""Kinds that say by their names what they are made of, where that is a plain LoRA."""


@dataclass(frozen=True, slots=True)
class LoraModule:
    """One module: where its tensors lie in the file, and what they do to its weight and bias."""

    name: str
    parsed: ModuleName
    kind: str
    keys: Mapping[str, str]
    """Its keys by part: "down", "up", "alpha", "hada_w1_a", …"""
    edits: tuple[Edit, ...]
    alpha: float | None
    scale: float
    """What a product of factors is multiplied by; 1 for kinds without one."""

    @property
    def shape(self) -> tuple[int, ...]:
        """Of the tensor it changes: (o, i) or (o, i, k, k); a size that is left open is -1."""
        return self.edits[0].shape

    @property
    def of_weight(self) -> Edit | None:
        """What it does to its weight; None where it changes a bias alone."""
        return next((edit for edit in self.edits if edit.part == "weight"), None)

    @property
    def rank(self) -> int | None:
        """The rank of its factors, where it has one."""
        return self.edits[0].rank

    @property
    def axis(self) -> str:
        """What a DoRA's magnitudes belong to, "output" or "input"; "" for other kinds."""
        return next((edit.axis for edit in self.edits if isinstance(edit, Dora)), "")


@dataclass(frozen=True, slots=True)
class Unread:
    """A module of a kind that is known by name alone: its keys by part, or by what ends them."""

    name: str
    parsed: ModuleName
    kind: str
    keys: Mapping[str, str]

    @property
    def of_weight(self) -> Edit | None:
        """Nobody knows."""
        return None


@dataclass(frozen=True, slots=True)
class Contents:
    """A file's keys in order: modules, modules of kinds that are not read, and keys of none."""

    modules: tuple[LoraModule, ...]
    unread: tuple[Unread, ...]
    strange: tuple[str, ...]


@dataclass(slots=True)
class _Found:
    keys: dict[str, str] = field(default_factory=dict[str, str])
    kinds: list[str] = field(default_factory=list[str])
    unread: list[str] = field(default_factory=list[str])

    def add(self, slot: Slot, key: str, path: str) -> None:
        """Take the key in; a second one of the same part is a CorruptFile."""
        kinds = self.kinds if slot.part else self.unread
        if slot.role != "alpha" and slot.kind not in kinds:
            kinds.append(slot.kind)
        part = slot.part or key.removeprefix(f"{slot.module}.")
        if (first := self.keys.setdefault(part, key)) != key:
            what = f"'{first}' and '{key}' are both the {part} of one module"
            raise CorruptFile(what, where=path, hint="It may hold two adapters.")

    @property
    def kind(self) -> str:
        """Its kinds in words; one that speaks for the factors it goes with stands alone."""
        named = [kind for kind in self.kinds if kind != PLAIN or not set(_ALONE) & {*self.kinds}]
        return " + ".join(named)


def contents(store: TensorStore, scaling: Scaling) -> Contents:
    """What a file holds; tensors that do not make up a module are a CorruptFile."""
    grouped, unknown = dict[str, _Found](), list[str]()
    for key in store.specs:
        if (slot := split_key(key)) is None:
            unknown.append(key)
        else:
            grouped.setdefault(slot.module, _Found()).add(slot, key, str(store.path))
    strange = [key for key in unknown if not _is_vector(key, grouped)]
    unread = [
        Unread(name, split_module(name), " + ".join(found.unread), found.keys)
        for name, found in grouped.items()
        if found.unread
    ]
    modules = [
        _module(name, found, store, scaling) for name, found in grouped.items() if not found.unread
    ]
    return Contents(tuple(modules), tuple(unread), tuple(strange))


def _is_vector(key: str, grouped: Mapping[str, _Found]) -> bool:
    """Whether it is the vector of LyCORIS' (IA)³, a plain "weight"; then its module gets it."""
    module, _, last = key.rpartition(".")
    if last != "weight" or module not in grouped or "on_input" not in grouped[module].keys:
        return False
    grouped[module].keys["weight"] = key
    return True


def _module(name: str, found: _Found, store: TensorStore, scaling: Scaling) -> LoraModule:
    keys = Keys(name, split_module(name), found.keys, store, scaling)
    made = edits(keys)
    return LoraModule(
        name=name,
        parsed=keys.parsed,
        kind=found.kind,
        keys=found.keys,
        edits=made,
        alpha=keys.alpha(),
        scale=keys.scale(made[0].rank) if made[0].rank else 1.0,
    )
