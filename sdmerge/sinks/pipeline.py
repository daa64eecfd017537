"""What a pipeline needs beside weights: configs, tokenizers, a scheduler, and where to take them.

Each comes from whom the recipe names, else from the first input that has it, else it is the
family's own.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, cast

from sdmerge.adapters import Source
from sdmerge.errors import FamilyError, FileError, PlanError
from sdmerge.families.configs import (
    config_of,
    model_index,
    scheduler_of,
    sizes_of,
    tokenizer_config,
)
from sdmerge.families.depths import with_depths
from sdmerge.families.family import Component, Family
from sdmerge.plan import Plan
from sdmerge.plan.tasks import reads
from sdmerge.sinks.clip_tokenizer import VOCABULARY, clip_tokenizer
from sdmerge.tensors.spec import TensorSpec

Config = Mapping[str, Any]


def component_names(plan: Plan) -> list[str]:
    """The components that the result has tensors of."""
    heads = {task.key.split(".", 1)[0] for task in plan.tasks}
    return [component.name for component in plan.family.components if component.name in heads]


def component_configs(plan: Plan) -> dict[str, Config]:
    """Configs that differ from what the tensors alone would tell, and the scheduler's likewise."""
    specs = {task.key: task.spec for task in plan.tasks}
    found: dict[str, Config] = {}
    for name in component_names(plan):
        config = given_config(plan, name)
        if config is not None and not _tells(plan.family, name, specs, config):
            found[name] = config
    scheduler = _scheduler(plan)
    if plan.family.components and not _agrees(scheduler, scheduler_of(plan.family)):
        found["scheduler"] = scheduler
    return found


def _tells(family: Family, name: str, specs: Mapping[str, TensorSpec], config: Config) -> bool:
    """Whether the tensors alone would lead to this config."""
    try:
        return _agrees(config, config_of(family, name, specs))
    except FamilyError:
        return False


def _agrees(config: Config, own: Config) -> bool:
    return all(config.get(key) == value for key, value in own.items() if not key.startswith("_"))


def given_config(plan: Plan, component: str) -> Config | None:
    """The component's config from the first of its inputs that has one, else from any like them."""
    keys = [task.key for task in plan.tasks]
    for source in _sources_of(plan, component):
        if (config := _config_in(source, component, "config.json")) is not None:
            return with_depths(config, keys)
    sizes = sizes_of(plan.family, component, {task.key: task.spec for task in plan.tasks})
    for source in (*plan.assets.values(), *plan.sources):
        config = _config_in(source, component, "config.json")
        if config is not None and sizes_of(plan.family, component, source.specs) == sizes:
            return with_depths(config, keys)
    return None


def _sources_of(plan: Plan, component: str) -> Iterator[Source]:
    """The sources that the component's tensors come from, the base first."""
    numbers = {
        read.source
        for task in plan.tasks
        if task.key.startswith(f"{component}.")
        for read in reads(task.node)
    }
    return (plan.sources[number] for number in sorted(numbers))


def _config_in(source: Source, component: str, name: str) -> Config | None:
    if source.path is not None and (file := source.path / component / name).is_file():
        return _read_json(file)
    embedded = source.metadata.get("sdmerge.configs")
    return json.loads(embedded).get(component) if embedded else None


def _scheduler(plan: Plan) -> Config:
    return {**_given_scheduler(plan), **plan.scheduler}


def _given_scheduler(plan: Plan) -> Config:
    sources = [plan.assets["scheduler"]] if "scheduler" in plan.assets else plan.sources
    for source in sources:
        if (config := _config_in(source, "scheduler", "scheduler_config.json")) is not None:
            return config
    metadata = {key: value for source in sources for key, value in source.metadata.items()}
    return scheduler_of(plan.family, [task.key for task in plan.tasks], metadata)


def side_files(plan: Plan) -> dict[str, bytes]:
    """Everything of a diffusers folder but the weights, by path within it."""
    if not plan.family.components:
        return _copied_beside(plan)
    specs = {task.key: task.spec for task in plan.tasks}
    names = component_names(plan)
    files = {"model_index.json": _json(_index(plan, names))}
    files["scheduler/scheduler_config.json"] = _json(_scheduler(plan))
    for component in plan.family.components:
        if component.name in names:
            given = given_config(plan, component.name)
            config = given or config_of(plan.family, component.name, specs)
            files[f"{component.name}/config.json"] = _json(_in_one_dtype(component, config))
            if component.tokenizer:
                files.update(_tokenizer(plan, component))
    return files


def _in_one_dtype(component: Component, config: Config) -> Config:
    """The config by which a pipeline that is loaded without a word on dtypes has just one.

    diffusers then loads its networks as float32, transformers as the config says.
    """
    if component.library != "transformers":
        return config
    kept = {key: value for key, value in config.items() if key != "torch_dtype"}
    return {**kept, "dtype": "float32"}


def _index(plan: Plan, names: list[str]) -> Config:
    """model_index.json: the first input's, so that a pipeline class of its own is kept.

    The classes of what the recipe takes from others are as these say: a tokenizer's, for instance.
    """
    own = model_index(plan.family, names, plan.variant)
    for source in plan.sources:
        given = _index_of(source)
        if given and all(given.get(name, [None])[0] for name in names):
            own = {**own, **{key: value for key, value in given.items() if key in own}}
            break
    taken = {slot: _index_of(source).get(slot) for slot, source in plan.assets.items()}
    own |= {slot: entry for slot, entry in taken.items() if entry and entry[0]}
    scheduler = _scheduler(plan).get("_class_name", plan.family.scheduler["_class_name"])
    return {**own, "scheduler": ["diffusers", scheduler]}


def _index_of(source: Source) -> Config:
    if source.path is None or not (file := source.path / "model_index.json").is_file():
        return {}
    return _read_json(file)


def _tokenizer(plan: Plan, component: Component) -> dict[str, bytes]:
    slot = str(component.tokenizer)
    sources = [plan.assets[slot]] if slot in plan.assets else plan.sources
    for source in sources:
        if source.path is not None and (folder := source.path / slot).is_dir():
            return {
                f"{slot}/{file.relative_to(folder).as_posix()}": file.read_bytes()
                for file in sorted(folder.rglob("*"))
                if file.is_file()
            }
    specs = {task.key: task.spec for task in plan.tasks}
    words = specs[f"{component.name}.embeddings.token_embedding.weight"].shape[0]
    if words != VOCABULARY:
        what = (
            f"no input brings a tokenizer for {component.name}, whose vocabulary has {words} words"
        )
        hint = (
            f"Name a folder that has one, in a recipe as components: {{{slot}: {{take: FOLDER}}}}, "
            f"in convert as --take {slot}=FOLDER."
        )
        raise PlanError(what, hint=hint)
    files = clip_tokenizer(component.pad_token)
    files["tokenizer_config.json"] = _json(tokenizer_config(component, specs))
    return {f"{slot}/{name}": data for name, data in files.items()}


def _copied_beside(plan: Plan) -> dict[str, bytes]:
    """The small files beside the weights of the first folder: config, tokenizer, licence."""
    for source in plan.sources:
        if source.path is not None and source.path.is_dir():
            kept = (".json", ".txt", ".model", ".jinja", ".md")
            return {
                file.name: file.read_bytes()
                for file in sorted(source.path.iterdir())
                if file.is_file() and file.suffix in kept and ".index." not in file.name
            }
    return {}


def _read_json(file: Path) -> Config:
    try:
        value = json.loads(file.read_bytes())
    except (OSError, ValueError) as error:
        raise FileError(f"is not JSON: {error}", where=str(file)) from error
    if not isinstance(value, dict):
        raise FileError("is not a JSON object", where=str(file))
    return cast("Config", value)


def _json(value: Config) -> bytes:
    return (json.dumps(value, indent=2, ensure_ascii=False) + "\n").encode()
