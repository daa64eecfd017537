"""check_family: what every family must hold to, whoever wrote it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import torch
from torch import Tensor

from sdmerge.families import (
    DIFFUSERS,
    FAMILIES,
    SINGLE_FILE,
    Families,
    Family,
    KeyMap,
    Recognition,
    component_map,
    recognise,
    recognise_folder,
    single_file_map,
)
from sdmerge.tensors.spec import TensorSpec
from sdmerge.testing.random_models import random_specs

Specs = Mapping[str, TensorSpec]


def check_family(family: Family | str, *, installed: bool = True) -> None:
    """Hold a family to the laws; an AssertionError says which one it breaks.

    Every layout is recognised and read back to the bit, every tensor lies in a block, and no two
    modules' names run together. `installed` also traces the installed diffusers, and takes a while.
    """
    chosen = FAMILIES.get(family) if isinstance(family, str) else family
    _check_full_size(chosen)
    _check_round_trips(chosen)
    _check_blocks(chosen)
    _check_module_names(chosen)
    if installed:
        _check_installed(chosen)


def copy_by(keymap: KeyMap, tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """What a key map makes of whole tensors in memory."""
    made: dict[str, Tensor] = {}
    for target, pieces in keymap.pieces.items():
        spec = keymap.specs[target]
        flat = torch.empty(spec.numel, dtype=tensors[pieces[0].source].dtype)
        for piece in pieces:
            source = tensors[piece.source].reshape(-1)
            run = source[piece.source_start : piece.source_start + piece.count]
            if piece.transpose is not None:
                run = run.reshape(piece.transpose).T.reshape(-1)
            flat[piece.target_start : piece.target_start + piece.count] = run
        made[target] = flat.reshape(spec.shape)
    return made


def _among_others(family: Family) -> Families:
    return Families([*(one for one in FAMILIES if one.name != family.name), family])


def _check_full_size(family: Family) -> None:
    specs = random_specs(family)
    for layout, answer in _answers(family, specs):
        where = f"{family.name}, {layout}"
        assert answer is not None, f"{where}: not recognised"
        assert answer.family is family, f"{where}: recognised as {answer.family.name}"
        assert answer.layout == layout, f"{where}: recognised as {answer.layout}"
        assert not answer.missing, f"{where}: missing {answer.missing}"
        assert not answer.extra, f"{where}: left over {answer.extra}"


def _answers(family: Family, specs: Specs) -> Iterator[tuple[str, Recognition | None]]:
    """Each layout and what a model written in it is taken for."""
    families = _among_others(family)
    yield SINGLE_FILE, recognise(single_file_map(family, specs).specs, families=families)
    folders = {name: component_map(family, name, specs).specs for name in family.by_name}
    yield DIFFUSERS, recognise_folder(folders, families=families)


def _check_round_trips(family: Family) -> None:
    specs = random_specs(family, scale="tiny")
    bits = torch.Generator().manual_seed(0)
    tensors = {
        key: torch.randint(-128, 128, spec.shape, dtype=torch.int8, generator=bits)
        for key, spec in specs.items()
    }
    written = copy_by(single_file_map(family, specs), tensors)
    folders = {name: component_map(family, name, specs) for name in family.by_name}
    files = {
        SINGLE_FILE: written,
        DIFFUSERS: {
            f"{name}.{key}": tensor
            for name, keymap in folders.items()
            for key, tensor in copy_by(keymap, tensors).items()
        },
    }
    for layout, answer in _answers(family, specs):
        assert answer is not None, f"{family.name}, {layout}, tiny: not recognised"
        back = copy_by(answer.keymap, files[layout])
        differing = [k for k, tensor in tensors.items() if not torch.equal(tensor, back[k])]
        assert not differing, f"{family.name}, {layout}: not read back as written: {differing}"


def _check_blocks(family: Family) -> None:
    labels = {key: family.block(key) for key in random_specs(family)}
    bare = [key for key, label in labels.items() if not label]
    assert not bare, f"{family.name}: in no block: {bare}"
    empty = set(family.blocks) - set(labels.values())
    assert not empty, f"{family.name}: blocks without tensors: {sorted(empty)}"


def _check_module_names(family: Family) -> None:
    """LoRA files join a module's path with underscores, in either layout's spelling."""
    specs = random_specs(family)
    for component in family.components:
        own = {k: s for k, s in specs.items() if k.startswith(f"{component.name}.")}
        spelled: dict[str, dict[str, str]] = {}
        for layout, keymap in (
            (SINGLE_FILE, single_file_map(family, own)),
            (DIFFUSERS, component_map(family, component.name, own)),
        ):
            prefix = component.layouts[SINGLE_FILE].prefixes[0] if layout == SINGLE_FILE else ""
            for name in keymap.pieces:
                path = name.removeprefix(prefix).rpartition(".")[0]
                flat = spelled.setdefault(path.replace(".", "_"), {})
                assert flat.setdefault(layout, path) == path, f"{flat[layout]} and {path} collide"


def _check_installed(family: Family) -> None:
    from sdmerge.families.build.compare import drift
    from sdmerge.families.build.freeze import freeze

    lines = drift(family, freeze(family))
    assert not lines, "differs from the installed diffusers:\n" + "\n".join(lines)
