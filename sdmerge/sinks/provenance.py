"""Where a result came from, written into it: recipe, inputs and their hashes, in every dialect.

`sdmerge.*` is what `show` and `verify` read; `modelspec.*` is the ModelSpec standard;
`sd_merge_*` is what A1111 and its relatives show. No dates and no absolute paths: the same merge
gives the same bytes.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass, replace
from importlib.metadata import version
from pathlib import Path
from typing import Any

from sdmerge.adapters.lora.saving import lora_header
from sdmerge.adapters.nothing import Nothing
from sdmerge.errors import InputError
from sdmerge.manifest import manifest
from sdmerge.plan import Input, Plan
from sdmerge.plan.lora import form_of
from sdmerge.recipe import Recipe, Setting, Stage, parse_recipe, recipe_id, to_yaml
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
    folder: Path

    @property
    def known(self) -> dict[str, Path]:
        """Where the inputs lie now, if they still lie as they did beside the result."""
        return {one["path"]: self.folder / one["beside"] for one in self.inputs if "beside" in one}


def record(plan: Plan, folder: Path) -> dict[str, str]:
    """The `sdmerge.*` entries for a result in `folder`."""
    recipe = portable(plan.recipe, plan.texts, folder)
    return {
        "sdmerge.recipe": to_yaml(recipe),
        "sdmerge.recipe_id": recipe_id(recipe),
        "sdmerge.version": VERSION,
        "sdmerge.inputs": _dump([_input(plan, one, folder) for one in plan.inputs]),
    }


def file_metadata(
    plan: Plan, folder: Path, title: str, configs: Mapping[str, Mapping[str, Any]]
) -> dict[str, str]:
    """All metadata of a single file; `configs` are those its tensors cannot tell."""
    own = record(plan, folder)
    webui = _webui(plan, own["sdmerge.recipe"])
    entries = {"format": "pt", **own, **webui, **_modelspec(plan, title)}
    if configs:
        entries["sdmerge.configs"] = _dump(configs)
    return entries


def lora_metadata(
    plan: Plan, folder: Path, title: str, kept: Mapping[str, tuple[int, float]]
) -> dict[str, str]:
    """All metadata of a LoRA; `kept` is the rank and the relative error by tensor, "" the whole."""
    own = record(plan, folder)
    errors = {key: float(f"{error:.3g}") for key, (_, error) in kept.items()}
    shown = {key: rank for key, (rank, _) in kept.items() if key and rank}
    rank = str(next(iter(shown.values()))) if len(set(shown.values())) == 1 else "Dynamic"
    spec = _modelspec(plan, title)
    if any(isinstance(source, Nothing) and source.rivals for source in plan.sources):
        spec = {HASH_SLOT: ""}  # they leave open what they are for
    if architecture := spec.get("modelspec.architecture"):
        spec["modelspec.architecture"] = f"{architecture}/lora"
    module, arguments = form_of(plan.recipe.output.lora).network
    return {
        "format": "pt",
        **own,
        **_webui(plan, own["sdmerge.recipe"]),
        **spec,
        "sdmerge.error": _dump({"total": errors.pop(""), "modules": errors}),
        "ss_network_module": module,
        **({"ss_network_args": _dump(arguments)} if arguments else {}),
        "ss_network_dim": rank,
        "ss_network_alpha": rank,
    }


def read_origin(path: Path) -> Origin:
    """What the result at `path` says of itself; an InputError if sdmerge did not write it."""
    entries = _entries(path)
    if "sdmerge.recipe" not in entries:
        raise InputError("was not written by sdmerge: it holds no recipe", where=str(path))
    folder = path.absolute().parent.resolve()
    return Origin(
        recipe=parse_recipe(entries["sdmerge.recipe"], f"{path} (recipe)", folder),
        recipe_id=entries.get("sdmerge.recipe_id", ""),
        version=entries.get("sdmerge.version", ""),
        inputs=tuple(json.loads(entries.get("sdmerge.inputs", "[]"))),
        folder=folder,
    )


def _entries(path: Path) -> Mapping[str, str]:
    if not path.is_dir():
        return read_header(path).metadata
    if (header := lora_header(path)) != path:
        return read_header(header).metadata
    note = path / FOLDER_RECORD
    return json.loads(note.read_text("utf-8")) if note.is_file() else {}


def _input(plan: Plan, one: Input, folder: Path) -> dict[str, Any]:
    """An input as the recipe wrote it, as seen from the result's `folder`, and its hashes."""
    hashes = {_under(file, one.path): plan.hashes[file] for file in one.files}
    seen = _relative(one.path, folder)
    beside = {"beside": seen} if seen else {}
    path = _shown(one.written, folder)
    return {"name": one.name, "path": path, **beside, "sha256": hashes}


def portable(recipe: Recipe, texts: Mapping[str, str], folder: Path) -> Recipe:
    """The recipe without absolute paths: they tell of their owner, and lead nowhere elsewhere.

    Of files of prompts and the like the lines are kept, so that the result needs no other file.
    """
    stages = tuple(_portable_stage(stage, texts, folder) for stage in recipe.stages)
    return replace(recipe, stages=stages)


def _portable_stage(stage: Stage, texts: Mapping[str, str], folder: Path) -> Stage:
    rules = {
        name: replace(
            rule,
            take=_shown(rule.take, folder) if rule.take else None,
            parameters=_carried(rule.method, rule.parameters, texts, folder),
        )
        for name, rule in stage.components.items()
    }
    return replace(
        stage,
        parameters=_carried(stage.method, stage.parameters, texts, folder),
        base=_shown(stage.base, folder) if stage.base else None,
        models=tuple(
            replace(
                ref,
                path=_shown(ref.path, folder),
                parameters=_carried(stage.method, ref.parameters, texts, folder),
            )
            for ref in stage.models
        ),
        apply=tuple(replace(one, path=_shown(one.path, folder)) for one in stage.apply),
        components=rules,
        layer_ranges=tuple(
            (_shown(path, folder), low, high) for path, low, high in stage.layer_ranges
        ),
    )


def _carried(
    method: str | None, parameters: Mapping[str, Setting], texts: Mapping[str, str], folder: Path
) -> Mapping[str, Setting]:
    """The parameters with what files of lines say for their names, and ways to pictures."""
    kinds = {param.name: param.kind for param in manifest()[method].params} if method else {}

    def carried(name: str, value: str) -> str:
        if kinds.get(name) == "lines":
            return texts.get(value, value)
        return _shown(value, folder) if value and kinds.get(name) == "pictures" else value

    return {
        name: tuple(
            replace(rule, value=carried(name, rule.value)) if isinstance(rule.value, str) else rule
            for rule in setting
        )
        for name, setting in parameters.items()
    }


def _shown(path: str, folder: Path) -> str:
    """A path of the recipe as the record shows it: an absolute one as seen from `folder`."""
    given = Path(path).expanduser()
    return _relative(given, folder) or given.name if given.is_absolute() else path


def _under(file: Path, folder: Path) -> str:
    inside = file.is_relative_to(folder) and file != folder
    return file.relative_to(folder).as_posix() if inside else file.name


def _relative(target: Path, start: Path) -> str:
    """`target` as seen from `start`; "" where there is no such way (another Windows drive)."""
    try:
        return Path(os.path.relpath(target, start.resolve())).as_posix()
    except ValueError:
        return ""


def _webui(plan: Plan, recipe: str) -> dict[str, str]:
    files = [(one.name, plan.hashes[file]) for one in plan.inputs for file in one.files]
    models = {digest: {"name": name, "legacy_hash": ""} for name, digest in files}
    shown = {"type": "sdmerge", "recipe": recipe, "models": sorted(models)}
    return {"sd_merge_recipe": _dump(shown), "sd_merge_models": _dump(models)}


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
        "modelspec.merged_from": ", ".join(one.name for one in plan.inputs),
        HASH_SLOT: "",
    }


_VARIANTS = {"inpaint": "inpainting", "pix2pix": "pix2pix"}


def _resolution(plan: Plan) -> int:
    """Side of the pictures the family was made for: its latents, eight times as large."""
    size = plan.family.main.config.get("sample_size", 64)
    return 8 * size if isinstance(size, int) else 512


def _dump(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, sort_keys=True, separators=(",", ":"))
