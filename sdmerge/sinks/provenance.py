"""Where a result came from, written into it: recipe, inputs and their hashes, in every dialect.

`sdmerge.*` is what `show` and `verify` read; `modelspec.*` is the ModelSpec standard;
`sd_merge_*` is what A1111 and its relatives show. No dates and no absolute paths: the same merge
gives the same bytes.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

from sdmerge.errors import InputError
from sdmerge.plan import Plan
from sdmerge.recipe import Recipe, parse_recipe, recipe_id, to_yaml
from sdmerge.tensors.header import read_header

HASH_SLOT = "modelspec.hash_sha256"
FOLDER_RECORD = "sdmerge.json"
VERSION = version("sdmerge")


@dataclass(frozen=True, slots=True)
class Origin:
    """What a result says of itself."""

    recipe: Recipe
    recipe_id: str
    version: str
    inputs: tuple[Mapping[str, Any], ...]


def record(plan: Plan, folder: Path) -> dict[str, str]:
    """The `sdmerge.*` entries for a result in `folder`."""
    entries = {
        "sdmerge.recipe": to_yaml(plan.recipe),
        "sdmerge.recipe_id": recipe_id(plan.recipe),
        "sdmerge.version": VERSION,
        "sdmerge.inputs": _dump(_inputs(plan)),
    }
    if plan.recipe.folder is not None and (beside := _relative(plan.recipe.folder, folder)):
        entries["sdmerge.recipe_folder"] = beside
    return entries


def file_metadata(
    plan: Plan, folder: Path, title: str, configs: Mapping[str, Mapping[str, Any]]
) -> dict[str, str]:
    """All metadata of a single file; `configs` are those its tensors cannot tell."""
    entries = {"format": "pt", **record(plan, folder), **_webui(plan), **_modelspec(plan, title)}
    if configs:
        entries["sdmerge.configs"] = _dump(configs)
    return entries


def read_origin(path: Path) -> Origin:
    """What the result at `path` says of itself; an InputError if sdmerge did not write it."""
    entries = _entries(path)
    if "sdmerge.recipe" not in entries:
        raise InputError("was not written by sdmerge: it holds no recipe", where=str(path))
    here = path if path.is_dir() else path.parent
    beside = entries.get("sdmerge.recipe_folder")
    folder = (here / beside).resolve() if beside is not None else here.resolve()
    return Origin(
        recipe=parse_recipe(entries["sdmerge.recipe"], f"{path} (recipe)", folder),
        recipe_id=entries.get("sdmerge.recipe_id", ""),
        version=entries.get("sdmerge.version", ""),
        inputs=tuple(json.loads(entries.get("sdmerge.inputs", "[]"))),
    )


def _entries(path: Path) -> Mapping[str, str]:
    if not path.is_dir():
        return read_header(path).metadata
    note = path / FOLDER_RECORD
    return json.loads(note.read_text("utf-8")) if note.is_file() else {}


def _inputs(plan: Plan) -> list[dict[str, Any]]:
    return [
        {
            "name": one.name,
            "path": one.written if not Path(one.written).is_absolute() else one.path.name,
            "sha256": {
                file.name
                if file.parent == one.path.parent
                else _under(file, one.path): plan.sha256(file)
                for file in one.files
            },
        }
        for one in plan.inputs
    ]


def _under(file: Path, folder: Path) -> str:
    return file.relative_to(folder).as_posix() if file.is_relative_to(folder) else file.name


def _relative(target: Path, start: Path) -> str:
    """`target` as seen from `start`; "" where there is no such way (another Windows drive)."""
    try:
        return Path(os.path.relpath(target, start.resolve())).as_posix()
    except ValueError:
        return ""


def _webui(plan: Plan) -> dict[str, str]:
    files = [(one.name, plan.sha256(file)) for one in plan.inputs for file in one.files]
    models = {digest: {"name": name, "legacy_hash": ""} for name, digest in files}
    recipe = {"type": "sdmerge", "recipe": to_yaml(plan.recipe), "models": sorted(models)}
    return {"sd_merge_recipe": _dump(recipe), "sd_merge_models": _dump(models)}


def _modelspec(plan: Plan, title: str) -> dict[str, str]:
    architecture = plan.family.architecture
    if not architecture:
        return {HASH_SLOT: ""}
    variant = f"-{_VARIANTS[plan.variant]}" if plan.variant in _VARIANTS else ""
    return {
        "modelspec.sai_model_spec": "1.0.1",
        "modelspec.architecture": architecture + variant,
        "modelspec.implementation": "https://github.com/Stability-AI/generative-models",
        "modelspec.title": plan.recipe.stages[-1].name or title,
        "modelspec.resolution": "x".join([str(_resolution(plan))] * 2),
        "modelspec.merged_from": ", ".join(plan.source_names),
        HASH_SLOT: "",
    }


_VARIANTS = {"inpaint": "inpainting", "pix2pix": "pix2pix"}


def _resolution(plan: Plan) -> int:
    """Side of the pictures the family was made for: its latents, eight times as large."""
    size = plan.family.main.config.get("sample_size", 64)
    return 8 * size if isinstance(size, int) else 512


def _dump(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, sort_keys=True, separators=(",", ":"))
