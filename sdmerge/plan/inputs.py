"""Inputs: the files a recipe names, found, opened once each, and given their aliases."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from sdmerge.adapters import LoraFile, MappedSource
from sdmerge.adapters.hub import from_hub
from sdmerge.adapters.lora.source import LoraSource
from sdmerge.adapters.nothing import Nothing
from sdmerge.adapters.opened import OpenedModels
from sdmerge.adapters.source import Source, Space
from sdmerge.album import Album, address, read_album
from sdmerge.errors import FileError, PlanError
from sdmerge.families.export import single_file_map
from sdmerge.families.family import Family
from sdmerge.plan.tasks import Apply, Fit, Node, Read
from sdmerge.recipe.aliases import stem
from sdmerge.tensors.spec import TensorSpec

_HUB_ID = re.compile(r"[\w.-]+/[\w.-]+")


@dataclass(frozen=True)
class Member:
    """A model of a stage: a checkpoint, a LoRA bound to its base, or an earlier stage."""

    name: str
    family: Family
    specs: Mapping[str, TensorSpec]
    nodes: Mapping[str, Node]
    space: Space
    source: Source | None = None
    missing: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    where: str = ""
    """Where the recipe names it."""
    deepened: bool = False
    """Whether its layers have other numbers than those that LoRAs were trained for."""

    @property
    def components(self) -> tuple[str, ...]:
        """The components it has tensors of, in the family's order."""
        heads = {key.split(".", 1)[0] for key in self.specs}
        return tuple(
            component.name for component in self.family.components if component.name in heads
        )


@dataclass
class Inputs:
    """Opens every file once; a source's place in `sources` is its number in the plan."""

    folder: Path | None
    roots: Sequence[Path] = ()
    allow_pickle: bool = False
    live: Mapping[str, Source] = field(default_factory=dict[str, Source])
    known: Mapping[str, Path] = field(default_factory=dict[str, Path])
    partial: bool = False
    """Whether a LoRA may leave out what its base has no place for."""
    opened: OpenedModels = field(default_factory=OpenedModels)
    sources: list[Source] = field(default_factory=list[Source])
    names: list[str] = field(default_factory=list[str])
    fits: list[Fit] = field(default_factory=list[Fit])
    texts: dict[str, str] = field(default_factory=dict[str, str])
    """What files of lines say, by how the recipe names them."""
    albums: dict[str, Album] = field(default_factory=dict[str, Album])
    """Pictures by the address of what they show."""
    written: dict[Path, str] = field(default_factory=dict[Path, str])
    """How the recipe wrote each path, for the record in the result."""
    _addresses: dict[str, str] = field(default_factory=dict[str, str])
    _weights: dict[Path, MappedSource] = field(default_factory=dict[Path, MappedSource])
    _loras: dict[Path, LoraFile] = field(default_factory=dict[Path, LoraFile])
    _members: dict[tuple[str, int], tuple[int, Source]] = field(
        default_factory=dict[tuple[str, int], tuple[int, Source]]
    )

    def open(self, text: str, where: str) -> MappedSource | LoraFile | Source:
        """The model that the recipe calls `text`."""
        if text in self.live:
            return self.live[text]
        path = self.find(text, where)
        self.written.setdefault(path, text)
        if path in self._weights:
            return self._weights[path]
        if path in self._loras:
            return self._loras[path]
        opened = self.opened.open(path, allow_pickle=self.allow_pickle)
        if isinstance(opened, LoraFile):
            self._loras[path] = opened
        else:
            self._weights[path] = opened
        return opened

    @property
    def loras(self) -> tuple[LoraFile, ...]:
        """The LoRA files opened so far."""
        return tuple(self._loras.values())

    def find(self, text: str, where: str) -> Path:
        """The path behind `text`: near the recipe, in the working folder or a root, on the hub."""
        if text in self.known and self.known[text].exists():
            return self.known[text].resolve()
        given = Path(text).expanduser()
        tried = [given] if given.is_absolute() else [root / given for root in self._places()]
        for path in tried:
            if path.exists():
                return path.resolve()
        if _is_hub_id(text) and (folder := from_hub(text)) is not None:
            return folder
        places = ", ".join(str(path.parent) for path in tried)
        raise FileError(f"there is no model '{text}'", where=where, hint=f"Looked in: {places}.")

    def lines(self, text: str, where: str) -> str:
        """Lines as they are, or those of the file that `text` names: near the recipe, or here."""
        if not text or "\n" in text:
            return text
        if text not in self.texts:
            self.texts[text] = _read_lines(self._near(text, where, "file"))
        return self.texts[text]

    def pictures(self, text: str, where: str) -> str:
        """The address of the pictures in the folder that `text` names: near the recipe, or here."""
        if text not in self._addresses:
            album = read_album(self._near(text, where, "folder"))
            self._addresses[text] = address(album)
            self.albums[self._addresses[text]] = album
        return self._addresses[text]

    def is_captioned(self, address: str) -> bool:
        """Whether there are pictures at an address, each of which says what it shows."""
        album = self.albums.get(address, ())
        return bool(album) and all(one.caption for one in album)

    def _near(self, text: str, where: str, kind: str) -> Path:
        """The file or folder that `text` names; none is a FileError."""
        given = Path(text).expanduser()
        tried = [given] if given.is_absolute() else [root / given for root in self._places()]
        for path in tried:
            if path.is_file() if kind == "file" else path.is_dir():
                return path
        places = ", ".join(str(path.parent) for path in tried)
        raise FileError(f"there is no {kind} '{text}'", where=where, hint=f"Looked in: {places}.")

    def _places(self) -> list[Path]:
        places = [self.folder, Path.cwd(), *self.roots]
        return [place for place in dict.fromkeys(places) if place is not None]

    def member(
        self, name: str, opened: MappedSource | LoraFile | Source, base: Member | None, where: str
    ) -> Member:
        """`opened` as a member; a LoRA is bound to the tensors of `base`."""
        notes: tuple[str, ...] = ()
        if isinstance(opened, LoraFile):
            opened, notes = self._bound(name, opened, base, where)
        number = self._number(name, opened)
        nodes: dict[str, Node] = {key: Read(number, opened.space) for key in opened.specs}
        if opened.space == "operator" and base is not None:
            nodes = {key: Apply(number, base.nodes[key]) for key in opened.specs}
        missing = opened.missing if isinstance(opened, MappedSource) else ()
        return Member(
            name, opened.family, opened.specs, nodes, opened.space, opened, missing, notes, where
        )

    def applied(self, name: str, path: str, weight: float, to: Member, where: str) -> Member:
        """`to` with the LoRA at `path` applied to it, and what there is to say about that."""
        opened = self.open(path, where)
        if not isinstance(opened, LoraFile):
            hint = "Only LoRAs are applied; list a checkpoint under 'models'."
            raise PlanError(f"'{path}' is not a LoRA", where=where, hint=hint)
        source, notes = self._bound(name, opened, to, where)
        number = self._number(name, source)
        changed = {key: Apply(number, to.nodes[key], weight) for key in source.specs}
        return replace(to, nodes={**to.nodes, **changed}, notes=notes)

    def _bound(
        self, name: str, lora: LoraFile, base: Member | None, where: str
    ) -> tuple[LoraSource, tuple[str, ...]]:
        """The LoRA on the base's tensors, and notes on what its file does not say or fit."""
        if base is None:
            what = f"'{name}' is a LoRA and there is no base_model to add it to"
            hint = "Name the checkpoint it belongs to under base_model."
            raise PlanError(what, where=where, hint=hint)
        if base.deepened:
            hint = "Add it in the stage whose layers are repeated."
            raise PlanError(
                f"'{name}' is for layers that have other numbers here", where=where, hint=hint
            )
        single_file = single_file_map(base.family, base.specs)
        bound = lora.bind(base.family, base.specs, single_file, partial=self.partial)
        notes: list[str] = []
        if not lora.states_scale:
            notes.append(f"{name} states no alpha: its factors are taken as they are")
        if bound.left_out:
            left = f"{len(bound.left_out)} modules have no place in {base.family.title}"
            notes.append(f"{name}: {left} and are left out: {', '.join(bound.left_out)}")
        return bound, tuple(notes)

    def _number(self, name: str, source: Source) -> int:
        for number, known in enumerate(self.sources):
            if known is source or (
                known.path == source.path
                and known.space == source.space != "weight"
                and known.specs == source.specs
            ):
                return number
        self.sources.append(source)
        self.names.append(name)
        return len(self.sources) - 1


def stored_bytes(source: Source, key: str) -> int:
    """The bytes of its files that a source reads for a tensor: of a LoRA those of the factors."""
    if isinstance(source, Nothing):
        return 0
    if isinstance(source, LoraSource):
        return source.nbytes[key]
    return source.specs[key].nbytes


def _read_lines(path: Path) -> str:
    try:
        lines = path.read_text("utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise FileError(f"this is not a text file: {error}", where=str(path)) from None
    return "".join(f"{line.strip()}\n" for line in lines if line.strip())


def _is_hub_id(text: str) -> bool:
    """Whether `text` is like owner/name, and not a model file that is not where it should be."""
    return _HUB_ID.fullmatch(text) is not None and stem(text) == text.rpartition("/")[2]
