"""Export: under which names, and in which order, canonical tensors are written."""

from __future__ import annotations

import re
from collections.abc import Mapping

from sdmerge.errors import FamilyError
from sdmerge.families.family import SINGLE_FILE, Family
from sdmerge.families.keymap import KeyMap, Piece, identity, union
from sdmerge.families.recognise import EXTRA
from sdmerge.families.table import Part, Rule, piece, put
from sdmerge.tensors.spec import ITEMSIZE, TensorSpec

Specs = Mapping[str, TensorSpec]


def single_file_map(family: Family, specs: Specs) -> KeyMap:
    """How canonical tensors make a single file: targets are its keys, in the file's order.

    Extra tensors keep their own names. A fused tensor whose parts are not all there is an error.
    """
    maps = [_component_file(family, component.name, specs) for component in family.components]
    return union([*maps, _renamed(specs, EXTRA)])


def component_map(family: Family, component: str, specs: Specs) -> KeyMap:
    """How canonical tensors make a component's file in a folder: targets are its keys.

    transformers' text encoders get the `text_model.` back that every version of it reads.
    """
    saved = family.component(component).saved_key
    prefix = f"{component}."
    names = {key: saved(key.removeprefix(prefix)) for key in specs if key.startswith(prefix)}
    return union([identity(specs, names), _renamed(specs, f"{EXTRA}{prefix}")])


def _component_file(family: Family, name: str, specs: Specs) -> KeyMap:
    """A component's part of a single file."""
    table = family.tables[name, SINGLE_FILE]
    prefix = family.component(name).layouts[SINGLE_FILE].prefixes[0]
    parts: dict[str, list[tuple[str, Rule, Part]]] = {}
    for key in (key for key in specs if key.startswith(f"{name}.")):
        if known := table.rule_of(key.removeprefix(f"{name}.")):
            rule, index = known
            for part in rule.parts:
                parts.setdefault(put(part.source, index), []).append((key, rule, part))
    files: dict[str, TensorSpec] = {}
    pieces: dict[str, tuple[Piece, ...]] = {}
    for file_key in sorted(parts, key=_natural):
        dtypes = [specs[key].dtype for key, _, _ in parts[file_key]]
        key, rule, part = parts[file_key][0]
        shape = table.file_shape(part.source, rule, specs[key].shape)
        files[prefix + file_key] = TensorSpec(max(dtypes, key=ITEMSIZE.__getitem__), shape)
        for key, _, part in parts[file_key]:
            one = piece(part, prefix + file_key, files[prefix + file_key], key, specs[key].numel)
            pieces[key] = (*pieces.get(key, ()), one)
    return _whole(KeyMap({key: specs[key] for key in pieces}, pieces, files).inverse(), files)


def _whole(keymap: KeyMap, files: Specs) -> KeyMap:
    for name in files:
        if name not in keymap.specs:
            what = "some of the tensors it is fused from are missing"
            raise FamilyError(what, where=name, hint="Write a diffusers folder instead.")
    return keymap


def _renamed(specs: Specs, prefix: str) -> KeyMap:
    return identity(specs, {key: key[len(prefix) :] for key in specs if key.startswith(prefix)})


def _natural(name: str) -> list[tuple[int, str]]:
    """A sort key by which block 10 comes after block 9."""
    return [(int(word), "") if word.isdigit() else (-1, word) for word in re.split(r"(\d+)", name)]
