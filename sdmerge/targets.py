"""Targets: where `-o` leads: to a path, or into the model folders of another tool.

mix.safetensors             as it is
ComfyUI:mix.safetensors     into the folder of that host in which such a model belongs
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import Path, PurePosixPath, PureWindowsPath

from sdmerge.errors import InputError, nearest
from sdmerge.hosts import Host, Kind
from sdmerge.recipe.model import Layout
from sdmerge.workspace import Workspace

_NAMED = re.compile(r"(?P<host>[^/\\:]{2,}):(?P<name>.+)")
"""A drive of Windows has one letter."""
_ALONE: dict[str, tuple[Kind, ...]] = {
    "unet": ("diffusion_models", "checkpoints"),
    "vae": ("vae",),
    "text_encoder": ("text_encoders",),
}


def find_target(workspace: Workspace, text: str, *kinds: Kind) -> Path:
    """The path that `text` means for a model of the first of `kinds` that its host takes.

    An InputError for a host that is only read, and for a name that leads out of its folder.
    """
    host, name = split_target(text)
    return place_in(_host(workspace, host), name, *kinds) if host else Path(text)


def split_target(text: str) -> tuple[str, str]:
    """The host that a target names, '' for none, and what it is called there."""
    found = _NAMED.fullmatch(text)
    return (found["host"], found["name"]) if found else ("", text)


def place_in(host: Host, name: str, *kinds: Kind) -> Path:
    """Where a model called `name` goes in a host."""
    folder = host.folder(*kinds)
    if folder is None:
        hint = f"Make it, or write somewhere else; {host.name} is {host.top}."
        raise InputError(f"{host.name} has no folder for {kinds[0]}", where=f"-o {name}", hint=hint)
    path = folder / name
    steps = {*PurePosixPath(name).parts, *PureWindowsPath(name).parts}
    if ".." in steps or not path.resolve().is_relative_to(folder.resolve()):
        hint = "Give a name, or a folder and a name below it."
        raise InputError(f"'{name}' leads out of {folder}", where=f"{host.name}:{name}", hint=hint)
    return path


def kinds_of(layout: Layout | None, keys: Iterable[str], *, folder: bool) -> tuple[Kind, ...]:
    """What a result with tensors of these canonical keys is among models, the best word first."""
    if layout == "lora":
        return ("loras",)
    if folder:
        return ("diffusers",)
    heads = {key.partition(".")[0].removesuffix("_2") for key in keys} - {"extra"}
    return _ALONE.get(next(iter(heads)), ("checkpoints",)) if len(heads) == 1 else ("checkpoints",)


def _host(workspace: Workspace, name: str) -> Host:
    hosts = {host.name: host for host in workspace.hosts}
    takes = [host.name for host in workspace.writable]
    if name not in hosts:
        known = f"{nearest(name, takes)} There is: {', '.join(takes)}." if takes else ""
        hint = f"{known} Name its folder with --save-to. A file of that name is ./{name}:…"
        raise InputError(f"there is no place '{name}' to save to", hint=hint.strip())
    if name not in takes:
        hint = f"Name it with --save-to {hosts[name].given} if results may go there."
        raise InputError(f"{name} is only read", where=str(hosts[name].given), hint=hint)
    return hosts[name]
