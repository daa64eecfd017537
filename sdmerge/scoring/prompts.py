"""Prompts: what is drawn, what the picture should then show, and a picture to compare it with."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from sdmerge.album import pictures_in
from sdmerge.errors import FileError

_KEYS = ("prompt", "caption", "reference")


@dataclass(frozen=True, slots=True)
class Line:
    """A prompt; the caption is what scorers compare with, by default the prompt itself."""

    prompt: str
    caption: str
    reference: Path | None = None
    number: int = field(default=0, compare=False)
    """Its line in the file it was read from; 0 if it comes from none."""


def read_prompts(path: Path) -> list[Line]:
    """The lines of a file: a prompt each, or JSONL {prompt, caption, reference}.

    References are relative to the file. Other keys, empty prompts and missing files are errors.
    """
    try:
        text = path.read_text("utf-8")
    except FileNotFoundError:
        raise FileError("there is no such file of prompts", where=str(path)) from None
    except (OSError, UnicodeDecodeError) as error:
        raise FileError(f"cannot be read: {error}", where=str(path)) from None
    numbered = [(n, line) for n, line in enumerate(text.splitlines(), 1) if line.strip()]
    if not numbered:
        raise FileError("holds no prompts", where=str(path))
    if path.suffix.lower() != ".jsonl":
        return [Line(line.strip(), line.strip(), number=n) for n, line in numbered]
    return [_line(line, path, n) for n, line in numbered]


def _line(text: str, path: Path, number: int) -> Line:
    where = f"{path}:{number}"
    try:
        entry: Any = json.loads(text)
    except ValueError as error:
        raise FileError(f"is no JSON: {error}", where=where) from None
    if not isinstance(entry, dict):
        raise FileError("is no JSON object", where=where, hint='For example {"prompt": "a boat"}.')
    fields: dict[str, Any] = entry  # pyright: ignore[reportUnknownVariableType]
    strange = [key for key in fields if key not in _KEYS]
    wrong = [key for key, value in fields.items() if not isinstance(value, str) or not value]
    if strange or wrong or "prompt" not in fields:
        what = f"has a strange '{(strange or wrong or ['prompt'])[0]}'"
        hint = f"Each line is an object of texts: {', '.join(_KEYS)}; a prompt is needed."
        raise FileError(what, where=where, hint=hint)
    reference = path.parent / fields["reference"] if "reference" in fields else None
    if reference is not None and not reference.is_file():
        raise FileError(f"there is no reference '{fields['reference']}'", where=where)
    return Line(fields["prompt"], fields.get("caption", fields["prompt"]), reference, number)


def with_references(lines: Sequence[Line], folder: Path) -> list[Line]:
    """The lines with the pictures of `folder` as references, in the order of their names."""
    found = pictures_in(folder)
    if len(found) != len(lines):
        what = f"holds {len(found)} pictures for {len(lines)} prompts"
        raise FileError(what, where=str(folder), hint="References are one per prompt, in order.")
    return [replace(line, reference=path) for line, path in zip(lines, found, strict=True)]
