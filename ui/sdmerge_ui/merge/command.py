"""Command: the command line that does what the draft does."""

from __future__ import annotations

import shlex
from typing import Any

from sdmerge_ui.edits import stage_of
from sdmerge_ui.library import documents, manifest
from sdmerge_ui.place import Place

_PLAIN = {"merge_method", "models", "base_model", "parameters", "dtype", "seed"}


def head(place: Place) -> list[str]:
    """The command with the options that say where models are."""
    shown = place.shown
    read = [word for one in shown.roots for word in ("--models", str(one))]
    written = [word for one in shown.targets for word in ("--save-to", str(one))]
    return ["sdmerge", "--workspace", str(place.workspace.folder), *read, *written]


def command(place: Place, text: str, name: str, where: str = "") -> str:
    """`sdmerge merge …`: with models and flags where these say it all, else with a recipe file."""
    stage = stage_of(text)
    target = ["-o", f"{where}{':' if where else ''}{name or 'merged'}.safetensors"]
    words = _ad_hoc(stage) if len(documents(text)) == 1 else None
    if words is None:
        words = [f"{name or 'recipe'}.yaml"]
    return shlex.join([*head(place), "merge", *words, *target])


def _ad_hoc(stage: dict[str, Any]) -> list[str] | None:
    """The arguments of an ad hoc merge; None where it needs a file."""
    models = stage.get("models") or []
    if (
        set(stage) - _PLAIN
        or not models
        or any(set(one) - {"model", "parameters"} for one in models)
    ):
        return None
    values = {name: [value] for name, value in (stage.get("parameters") or {}).items()}
    spec = manifest().get(str(stage.get("merge_method")))
    own = {name for one in models for name in one.get("parameters", {})}
    if spec is None or not own <= {param.name for param in spec.params}:
        return None
    for name in sorted(own):
        left = values.get(name, [spec.param(name).default])[0]
        values[name] = [one.get("parameters", {}).get(name, left) for one in models]
    if any(isinstance(value, dict | list) for row in values.values() for value in row):
        return None
    words = [str(one["model"]) for one in models] + ["--method", str(stage.get("merge_method"))]
    if stage.get("base_model"):
        words += ["--base", str(stage["base_model"])]
    for name, row in values.items():
        words += [f"--{name}", ",".join(_spelled(value) for value in row)]
    for name in ("dtype", "seed"):
        words += [f"--{name}", str(stage[name])] if name in stage else []
    return words


def _spelled(value: object) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)
