"""Goal: what a search asks for: prompts in three files, and scorers with their models."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from sdmerge_ui import controls, edits
from sdmerge_ui.edits import stage_of, value_at
from sdmerge_ui.library import (
    InputError,
    Param,
    read_prompts,
    scorer_manifest,
    split_prompts,
    write,
)
from sdmerge_ui.place import SAMPLES, Place, checked_name
from sdmerge_ui.texts import Words

PARTS = ("search", "validation", "test")
ROLES = ("fitness", "report")
_ENDS = (".txt", ".jsonl")


def prompt_files(place: Place) -> list[Path]:
    """Files of prompts: the workspace's, then the samples'."""
    folders = [place.workspace.prompts, *([SAMPLES / "prompts"] if place.samples else [])]
    return [
        path
        for folder in folders
        if folder.is_dir()
        for path in sorted(folder.iterdir())
        if path.suffix in _ENDS and place.confined.allows(path)
    ]


def scorer_models(place: Place) -> list[Path]:
    """Models that scorers may use: the workspace's, then the samples'."""
    folders = [place.workspace.scorers, *([SAMPLES / "scorers"] if place.samples else [])]
    return [
        path
        for folder in folders
        if folder.is_dir()
        for path in sorted(folder.iterdir())
        if not path.name.startswith(".") and place.confined.allows(path)
    ]


def prompt_form(place: Place, words: Words, text: str) -> dict[str, Any]:
    """For the element `form`: a file for each of the three parts."""
    stage, files = stage_of(text), prompt_files(place)
    fields = [
        _choice(
            f"evolve.prompts.{part}", words(f"goal.{part}"),
            value_at(stage, f"evolve.prompts.{part}"), files, words("goal.no_file"),
        )
        for part in PARTS
    ]  # fmt: skip
    return {"fields": fields}


def scorers(place: Place, words: Words, text: str) -> dict[str, Any]:
    """For the element `scorers`: those that are searched for, and those that watch."""
    known = scorer_manifest()
    return {
        "rows": [
            _scorer(place, words, role, at, entry)
            for role in ROLES
            for at, entry in enumerate(entries(text, role))
        ],
        "choices": [
            {"name": one.name, "title": one.title, "help": one.summary}
            for one in known.values()
            if "source" not in one.needs
        ],
    }


def entries(text: str, role: str) -> list[dict[str, Any]]:
    """The scorers that the draft names for a role."""
    found = value_at(stage_of(text), f"evolve.{role}")
    return [dict(one) for one in found if isinstance(one, dict)] if isinstance(found, list) else []


def acted(place: Place, text: str, asked: dict[str, Any]) -> str:
    """The draft after a button of the scorers."""
    role = str(asked["role"])
    if role not in ROLES:
        return text
    now = entries(text, role)
    match asked["do"]:
        case "add":
            now.append(_new(place, str(asked["name"])))
        case "drop":
            del now[int(asked["at"])]
        case "turn":
            moved = now.pop(int(asked["at"]))
            moved.pop("weight", None)
            other = ROLES[1 - ROLES.index(role)]
            text = edits.put(text, f"evolve.{other}", [*entries(text, other), moved])
        case _:
            return text
    return edits.put(text, f"evolve.{role}", now or None)


def keep(place: Place, text: str, name: str, written: str, *, split: bool) -> tuple[str, str]:
    """Pasted lines as files of the workspace, in three parts with `split`; the draft with them.

    Beside it how they were split, "" if they were not.
    """
    bare = checked_name(name).removesuffix(".txt")
    lines = [line.strip() for line in written.splitlines() if line.strip()]
    if not lines:
        raise InputError("there are no prompts", hint="Write one per line.")
    folder = place.workspace.prompts
    names = [f"{bare}-{part}.txt" for part in PARTS] if split else [f"{bare}.txt"]
    paths = [folder / one for one in names]
    for path in paths:
        if path.exists():
            raise InputError(f"there is '{path.name}' already", hint="Choose another name.")
    groups, how = [lines], ""
    if split:
        parts = split_prompts(read_prompts(place.keep_lines(lines)))
        groups = [[line.prompt for line in getattr(parts, part)] for part in PARTS]
        how = parts.how
    for part, path, own in zip(PARTS, paths, groups, strict=False):
        write(path, "".join(f"{line}\n" for line in own).encode())
        text = edits.put(text, f"evolve.prompts.{part}", str(path))
    return text, how


def _new(place: Place, name: str) -> dict[str, Any]:
    """A scorer with a local model, if there is one made for it."""
    if name not in scorer_manifest():
        raise InputError(f"there is no scorer '{name}'", hint="Choose one of the list.")
    local = [path for path in scorer_models(place) if path.name.split("_")[0] == name]
    return {"scorer": name, **({"model": str(local[0])} if local else {})}


def _scorer(
    place: Place, words: Words, role: str, at: int, entry: dict[str, Any]
) -> dict[str, Any]:
    spec = scorer_manifest().get(str(entry.get("scorer")))
    head = f"evolve.{role}[{at}]"
    fields: list[controls.Field] = []
    for param in spec.params if spec else ():
        address, value = f"{head}.{param.name}", entry.get(param.name)
        if param.name == "model":
            files, published = scorer_models(place), words("goal.published", name=param.default)
            fields.append({**_choice(address, param.name, value, files, published),
                           "help": param.doc})  # fmt: skip
        else:
            fields.append(controls.field(param, address, value))
    if role == "fitness":
        fields.append(controls.field(_WEIGHT, f"{head}.weight", entry.get("weight")))
    return {
        "role": role, "at": at, "name": str(entry.get("scorer")),
        "title": spec.title if spec else "", "help": spec.summary if spec else "",
        "paper": spec.paper if spec else "", "fields": fields,
    }  # fmt: skip


_WEIGHT = Param("weight", "float", 1.0, "")


def _choice(
    address: str, label: str, value: Any, files: Sequence[Path], nothing: str
) -> controls.Field:
    known = [str(path) for path in files]
    if value and str(value) not in known:
        known.append(str(value))
    param = Param(address.rpartition(".")[2], "choice", "", "", choices=("", *known))
    labels = [nothing, *(f"{Path(one).parent.name}/{Path(one).name}" for one in known)]
    return {**controls.field(param, address, value), "label": label, "labels": labels}
