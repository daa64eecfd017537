"""Hosts: the model folders that people have for other tools, recognised by their layout.

What somebody names as a place of models is one of

    a plain folder              everything below it
    the tree of A1111, Forge    models/Stable-diffusion, models/Lora, models/VAE, embeddings, …
    or of ComfyUI               models/checkpoints, models/loras, models/diffusion_models, …
    the `models` folder of one  the same without what lies beside it
    extra_model_paths.yaml      the list of such folders that ComfyUI reads

Upscalers, control nets and the like lie beside, and are passed over.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Literal, get_args

from sdmerge.errors import InputError

if TYPE_CHECKING:
    from sdmerge.recipe.nodes import Node

Kind = Literal[
    "",
    "checkpoints",
    "diffusion_models",
    "loras",
    "vae",
    "text_encoders",
    "embeddings",
    "diffusers",
]
"""What lies in a folder, in ComfyUI's words; "" for everything."""

_KINDS: tuple[Kind, ...] = get_args(Kind)
_WORDS: Mapping[str, Kind] = {
    **{kind: kind for kind in _KINDS if kind}, "unet": "diffusion_models", "clip": "text_encoders"
}  # fmt: skip
"""With ComfyUI's earlier words, which it still reads."""
_YAML = (".yaml", ".yml")


@dataclass(frozen=True, slots=True)
class ModelFolder:
    """A folder of models. It is read with all that is below it, but for links."""

    path: Path
    kind: Kind = ""


@dataclass(frozen=True, slots=True)
class Host:
    """A tool's model folders, or a plain folder.

    name: What people call it by: the name of its folder, or of its section in the YAML.
    given: What the user named. top: Where its folders' names start.
    """

    name: str
    title: str
    given: Path
    top: Path
    folders: tuple[ModelFolder, ...]

    def folder(self, *kinds: Kind) -> Path | None:
        """Where a model of the first of these kinds that there is a folder for belongs."""
        for kind in (*kinds, ""):
            for one in self.folders:
                if one.kind == kind:
                    return one.path
        return None


@dataclass(frozen=True, slots=True)
class _Layout:
    title: str
    signs: tuple[str, ...]
    """One of these below `models` tells that it is this layout."""
    beside: tuple[str, ...]
    """One of these, too, where it is the `models` folder that was named."""
    folders: Mapping[Kind, tuple[str, ...]]


_LAYOUTS = (
    _Layout("A1111 / Forge", ("Stable-diffusion",), ("Lora", "VAE", "LyCORIS", "ESRGAN"), {
        "checkpoints": ("models/Stable-diffusion",),
        "loras": ("models/Lora", "models/LyCORIS"),
        "vae": ("models/VAE",),
        "text_encoders": ("models/text_encoder",),
        "embeddings": ("embeddings",),
    }),
    _Layout("ComfyUI", ("checkpoints", "diffusion_models"), ("loras", "vae", "clip_vision"), {
        "checkpoints": ("models/checkpoints",),
        "diffusion_models": ("models/unet", "models/diffusion_models"),
        "loras": ("models/loras",),
        "vae": ("models/vae",),
        "text_encoders": ("models/text_encoders", "models/clip"),
        "embeddings": ("models/embeddings",),
        "diffusers": ("models/diffusers",),
    }),
)  # fmt: skip


def read_hosts(given: Sequence[Path]) -> tuple[Host, ...]:
    """What is named by each of `given`, every host with a name of its own.

    An InputError says which folder is not there, and where it is named.
    """
    found: list[Host] = []
    for path in given:
        for host in _hosts(path.expanduser().absolute()):
            names = {one.name for one in found}
            count, name = 1, host.name
            while name in names:
                count += 1
                name = f"{host.name}#{count}"
            found.append(replace(host, name=name, given=path))
    return tuple(found)


def _hosts(path: Path) -> Sequence[Host]:
    if path.is_dir():
        return [_tree(path)]
    if path.is_file() and path.suffix.lower() in _YAML:
        return _listed(path)
    if path.exists():
        hint = "Name a folder, or ComfyUI's extra_model_paths.yaml."
        raise InputError("is no folder of models", where=str(path), hint=hint)
    raise InputError("there is no such folder of models", where=str(path), hint=_near(path))


def _near(path: Path) -> str:
    """How much of a path is there."""
    there = next((one for one in path.parents if one.is_dir()), None)
    return f"There is {there}, without '{path.relative_to(there).parts[0]}'." if there else ""


def _tree(path: Path) -> Host:
    """The host whose tree `path` is, else a plain folder."""
    for layout in _LAYOUTS:
        below = path / "models"
        if any((below / sign).is_dir() for sign in layout.signs):
            return Host(path.name, layout.title, path, path, _there(path, layout, ""))
        bare = [any((path / name).is_dir() for name in of) for of in (layout.signs, layout.beside)]
        if all(bare):
            name = path.parent.name if path.name == "models" else path.name
            return Host(name, layout.title, path, path, _there(path, layout, "models/"))
    return Host(path.name or str(path), "", path, path, (ModelFolder(path),))


def _there(path: Path, layout: _Layout, head: str) -> tuple[ModelFolder, ...]:
    """The folders of a layout that there are; `head` is what `path` stands for itself."""
    return tuple(
        ModelFolder(path / name.removeprefix(head), kind)
        for kind, names in layout.folders.items()
        for name in names
        if name.startswith(head) and (path / name.removeprefix(head)).is_dir()
    )


def _listed(path: Path) -> list[Host]:
    """The sections of an extra_model_paths.yaml, in the order in which ComfyUI looks into them.

    As ComfyUI reads it: paths start at `base_path`, else at the file's folder; `~` and variables
    are replaced in `base_path`; a value has a folder per line; of sections with `is_default` the
    last comes first, and so do the lines within one. A single folder that is not there is passed
    over, as it is there.
    """
    from sdmerge.recipe.nodes import parse_yaml

    try:
        nodes = parse_yaml(path.read_text("utf-8-sig"), str(path))
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"cannot be read: {error}", where=str(path)) from None
    hosts: list[Host] = []
    for name, section in nodes[0].mapping("extra_model_paths").items() if nodes else ():
        if section.value is None:
            continue
        values = section.mapping(f"the section '{name}'")
        first = "is_default" in values and values["is_default"].switch("is_default")
        hosts.insert(0 if first else len(hosts), _section(path, name, section, first=first))
    if not hosts:
        hint = "Take the # away from a section, and let its base_path be where the tool is."
        raise InputError("lists no folders", where=str(path), hint=hint)
    return hosts


def _section(path: Path, name: str, section: Node, *, first: bool) -> Host:
    values = section.mapping(name)
    top = path.parent
    if "base_path" in values:
        text = values["base_path"].text("base_path")
        # as ComfyUI has it, for which the name of an unknown user stays as it is
        top = path.parent / os.path.expandvars(os.path.expanduser(text))  # noqa: PTH111
        if not top.is_dir():
            raise values["base_path"].error(f"there is no folder '{top}'", _near(top))
    folders: dict[Kind, list[ModelFolder]] = {}
    for kind, one in _lines(values, top):
        row = folders.setdefault(kind, [])
        row.insert(0 if first else len(row), ModelFolder(one, kind))
    there = [one for kind in _KINDS for one in folders.get(kind, []) if one.path.is_dir()]
    if not there:
        places = ", ".join(str(one.path) for row in folders.values() for one in row)
        hint = f"Looked for: {places}." if places else f"It may have: {', '.join(_KINDS[1:])}."
        raise section.error(f"none of the folders of '{name}' is there", hint)
    return Host(name, "ComfyUI's list", path, Path(os.path.normpath(top)), tuple(there))


def _lines(values: Mapping[str, Node], top: Path) -> Iterator[tuple[Kind, Path]]:
    """Every folder that a section lists for models of ours, with its kind."""
    for word, node in values.items():
        kind = _WORDS.get(word)
        if kind is None:
            continue
        for line in node.text(word).split("\n"):
            if line:
                yield kind, Path(os.path.normpath(top / line))
