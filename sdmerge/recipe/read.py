"""Reads a recipe: documents into stages, every word checked, every complaint with file and line."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from sdmerge.errors import MethodError, RecipeError, nearest
from sdmerge.manifest import MethodSpec, manifest
from sdmerge.params import Param, Range
from sdmerge.recipe.address import apply_settings
from sdmerge.recipe.aliases import aliases
from sdmerge.recipe.marks import is_mark, read_choices, read_scalar, read_single
from sdmerge.recipe.model import (
    Applied,
    ComponentRule,
    Grouped,
    ModelRef,
    Recipe,
    Search,
    Setting,
    Stage,
)
from sdmerge.recipe.nodes import Node, parse_yaml, to_nodes
from sdmerge.recipe.output import read_output
from sdmerge.recipe.scheduler import read_scheduler
from sdmerge.recipe.values import read_setting

_STAGE_KEYS = (
    "merge_method", "base_model", "models", "slices", "parameters", "components", "apply", "name",
    "repeat", "dtype", "out_dtype", "output", "seed", "grid", "evolve", "tokenizer_source",
    "chat_template",
)  # fmt: skip
_RECIPE_KEYS = ("dtype", "out_dtype", "output", "seed", "grid", "evolve")
_REFUSED = {
    "modules": "List the models' components under 'components'.",
    "tokenizer": "Take a tokenizer whole: components: {tokenizer: {take: NAME}}.",
}
_IGNORED = {"tokenizer_source": "tokenizers are taken whole", "chat_template": "pictures have none"}
_IGNORED_PARAMETERS = {"int8_mask": "masks are exact here"}

_MOST_REPEATS = 8
_APPLIED = Param(
    "weight", "float", 1.0, "Strength of the LoRA.", Range(0.0, 1.5, limits=(-4.0, 4.0))
)


def load_recipe(path: Path, settings: Sequence[str] = ()) -> Recipe:
    """The recipe in the file at `path`, with `settings` (`PATH=VALUE`) applied on top."""
    return parse_recipe(recipe_text(path), str(path), path.resolve().parent, settings)


def recipe_text(path: Path) -> str:
    """The text of the file at `path`."""
    try:
        return path.read_text("utf-8")
    except FileNotFoundError:
        raise RecipeError("there is no such file", where=str(path)) from None
    except (OSError, UnicodeDecodeError) as error:
        raise RecipeError(f"this is not a text file: {error}", where=str(path)) from None


def parse_recipe(
    text: str, name: str = "recipe", folder: Path | None = None, settings: Sequence[str] = ()
) -> Recipe:
    """The recipe that `text` says; `name` stands in messages, `folder` is where paths start."""
    documents = [node for node in parse_yaml(text, name) if node.value is not None]
    return _read(documents, name, folder, settings)


def recipe_from_data(
    data: Mapping[str, Any] | Sequence[Mapping[str, Any]],
    name: str = "recipe",
    folder: Path | None = None,
    settings: Sequence[str] = (),
) -> Recipe:
    """The recipe that Python values say: one stage as a mapping, or several as a list."""
    stages = [data] if isinstance(data, Mapping) else data
    return _read([to_nodes(dict(stage), name) for stage in stages], name, folder, settings)


def _read(documents: list[Node], name: str, folder: Path | None, settings: Sequence[str]) -> Recipe:
    if not documents:
        raise RecipeError(
            "the recipe is empty", where=name, hint="It needs merge_method and models."
        )
    documents = apply_settings(documents, settings)
    notes: list[str] = []
    stages = tuple(
        _read_stage(node, position, len(documents), notes)
        for position, node in enumerate(documents)
    )
    _check_names(stages)
    last = documents[-1].mapping("the recipe")
    return Recipe(
        stages=stages,
        output=read_output(last),
        seed=last["seed"].integer("seed") if "seed" in last else 0,
        grid=_plain(last.get("grid"), "grid"),
        evolve=_plain(last.get("evolve"), "evolve"),
        lines=dict(last["evolve"].lines("evolve")) if "evolve" in last else {},
        notes=tuple(notes),
        folder=folder,
        where=name,
    )


def _read_stage(node: Node, position: int, count: int, notes: list[str]) -> Stage:
    for key, child in node.mapping("a recipe").items():
        if key in _REFUSED:
            raise child.error(f"'{key}' is not used here", _REFUSED[key])
    fields = node.mapping("a recipe", _STAGE_KEYS)
    _refuse_early_output(fields, position, count)
    notes.extend(
        f"{fields[key].where}: {key} is ignored: {why}"
        for key, why in _IGNORED.items()
        if key in fields
    )
    if "merge_method" not in fields:
        raise node.error(
            "the recipe names no merge_method", f"One of: {', '.join(sorted(manifest()))}."
        )
    methods, mark = _methods(fields["merge_method"])
    models, ranges = _read_models(node, fields, methods, notes)
    if count > 1 and position < count - 1 and "name" not in fields:
        raise node.error("a stage that others build on needs a name")
    found = Stage(
        method=methods[0].name,
        models=models,
        base=fields["base_model"].text("base_model") if "base_model" in fields else None,
        name=fields["name"].text("name") if "name" in fields else "",
        parameters=_read_parameters(fields.get("parameters"), methods, notes),
        components=_read_components(fields.get("components"), methods, notes),
        apply=_read_apply(fields.get("apply")),
        layer_ranges=ranges,
        repeat=_read_repeat(fields.get("repeat")),
        where=node.where,
        mark=mark,
    )
    _check_per_model(found)
    return found


def _refuse_early_output(fields: dict[str, Node], position: int, count: int) -> None:
    if position == count - 1:
        return
    for key in _RECIPE_KEYS:
        if key in fields:
            raise fields[key].error(
                f"'{key}' belongs to the last stage", "Stages between stay in float32."
            )


def _check_per_model(stage: Stage) -> None:
    """Nothing if what is given per model stands where all models are meant, and names each."""
    names = [ref.name for ref in stage.models]
    for ref in stage.models:
        for rule in (rule for setting in ref.parameters.values() for rule in setting):
            if isinstance(rule.value, Grouped | Search) and rule.value.per == "model":
                hint = "Leave out 'per', or move it to the recipe's own 'parameters'."
                raise RecipeError("this is one model's value", where=rule.where, hint=hint)
    shared = [stage.parameters, *(rule.parameters for rule in stage.components.values())]
    for rule in (rule for some in shared for setting in some.values() for rule in setting):
        if not isinstance(rule.value, Grouped) or rule.value.per != "model":
            continue
        for label in rule.value.values:
            if label not in (*names, "base"):
                hint = f"{nearest(label, names)} The models are: {', '.join(names)}.".strip()
                raise RecipeError(f"there is no model '{label}'", where=rule.where, hint=hint)
        if missing := [name for name in names if name not in rule.value.values]:
            what = f"the values per model leave out {', '.join(missing)}"
            raise RecipeError(what, where=rule.where, hint="Give every model one.")


def _methods(node: Node) -> tuple[list[MethodSpec], Search | None]:
    """The method, or those of a search: the one that it starts with comes first."""
    if not is_mark(node):
        return [_method(node)], None
    mark = read_choices(node, lambda child: _method(child).name, per=False)
    names = [mark.init, *(name for name in mark.choices if name != mark.init)]
    return [manifest()[str(name)] for name in names], mark


def _method(node: Node) -> MethodSpec:
    try:
        return manifest()[node.text("merge_method")]
    except MethodError as error:
        raise node.error(error.what, error.hint) from None


def _read_models(
    node: Node, fields: dict[str, Node], methods: list[MethodSpec], notes: list[str]
) -> tuple[tuple[ModelRef, ...], tuple[tuple[str, int, int], ...]]:
    if ("models" in fields) == ("slices" in fields):
        raise node.error("a recipe has either models or slices", "List the models under 'models'.")
    if "slices" in fields:
        sources, ranges = _read_slices(fields["slices"])
    else:
        sources, ranges = fields["models"].sequence("models"), ()
    if not sources:
        raise node.error("the recipe has no models")
    refs = [_read_model(source, methods, notes) for source in sources]
    _check_given_names(refs)
    names = aliases([(ref.name if ref.named else None, ref.path) for ref in refs])
    return tuple(replace(ref, name=name) for ref, name in zip(refs, names, strict=True)), ranges


def _read_slices(node: Node) -> tuple[list[Node], tuple[tuple[str, int, int], ...]]:
    """One slice whose sources each give a layer range; the plan checks that the range is full."""
    slices = node.sequence("slices")
    if len(slices) != 1:
        raise node.error(
            f"{len(slices)} slices re-order layers, which is not done here",
            "One slice over the full range of layers is the same as listing 'models'.",
        )
    parts = slices[0].mapping("a slice", ("sources",))
    if "sources" not in parts:
        raise slices[0].error("a slice needs 'sources'")
    ranges: list[tuple[str, int, int]] = []
    plain: list[Node] = []
    for source in parts["sources"].sequence("sources"):
        fields = dict(source.mapping("a source", ("model", "layer_range", "parameters")))
        layers = fields.pop("layer_range", None)
        if layers is not None:
            ranges.append((_path(source), 0, _read_layer_count(layers)))
        plain.append(Node(fields, source.where))
    return plain, tuple(ranges)


def _read_layer_count(node: Node) -> int:
    bounds = [bound.integer("layer_range") for bound in node.sequence("layer_range")]
    if len(bounds) != 2 or bounds[0] != 0 or bounds[1] <= 0:
        hint = "Write [0, number of layers] or list 'models'."
        raise node.error(f"layer_range {bounds} is not the full range", hint)
    return bounds[1]


def _path(node: Node) -> str:
    fields = node.mapping("a model")
    if "model" not in fields:
        raise node.error("a model needs 'model: PATH'")
    return fields["model"].text("model")


def _read_model(node: Node, methods: list[MethodSpec], notes: list[str]) -> ModelRef:
    fields = node.mapping("a model", ("model", "name", "parameters"))
    name = fields["name"].text("name") if "name" in fields else ""
    parameters = _read_parameters(fields.get("parameters"), methods, notes, per_model=True)
    return ModelRef(_path(node), name, parameters, "name" in fields, node.where)


def _check_given_names(refs: list[ModelRef]) -> None:
    given = Counter(ref.name for ref in refs if ref.named)
    for ref in refs:
        if ref.named and (given[ref.name] > 1 or ref.name == "base"):
            what = "the word for base_model" if ref.name == "base" else "given to two models"
            raise RecipeError(
                f"the name '{ref.name}' is {what}", where=ref.where, hint="Choose another name."
            )


def _read_parameters(
    node: Node | None, methods: list[MethodSpec], notes: list[str], *, per_model: bool = False
) -> dict[str, Setting]:
    """The settings as the first method reads them; the others of a search must take them too."""
    found: dict[str, Setting] = {}
    for name, child in (node.mapping("parameters") if node else {}).items():
        if name in _IGNORED_PARAMETERS:
            notes.append(f"{child.where}: {name} is ignored: {_IGNORED_PARAMETERS[name]}")
            continue
        read = [_read_parameter(name, child, method, per_model=per_model) for method in methods]
        found[name] = read[0]
    return found


def _read_parameter(name: str, node: Node, method: MethodSpec, *, per_model: bool) -> Setting:
    try:
        param = method.param(name)
    except MethodError as error:
        raise node.error(error.what, error.hint) from None
    if per_model and not param.per_model:
        hint = "Move it to the recipe's own 'parameters'."
        raise node.error(f"{method.name}.{name} is one value for the whole merge", hint)
    setting = read_setting(node, param)
    for rule in setting:
        grouped = isinstance(rule.value, Grouped | Search) and rule.value.per == "model"
        if grouped and not param.per_model:
            what = f"{method.name}.{name} is one value for all models"
            raise RecipeError(what, where=rule.where, hint="It cannot be one per model.")
    return setting


def _read_components(
    node: Node | None, methods: list[MethodSpec], notes: list[str]
) -> dict[str, ComponentRule]:
    found: dict[str, ComponentRule] = {}
    for name, child in (node.mapping("components") if node else {}).items():
        if name == "scheduler":
            found[name] = _read_scheduler(child)
            continue
        fields = child.mapping(f"components.{name}", ("take", "merge_method", "parameters"))
        if "take" in fields and len(fields) > 1:
            raise child.error(
                f"components.{name} is either taken whole or merged", "Keep 'take' or the others."
            )
        if not fields:
            raise child.error(
                f"components.{name} says nothing", "Write {take: NAME} or {merge_method: …}."
            )
        if "take" in fields:
            found[name] = _read_take(fields["take"], child.where)
            continue
        given = fields.get("merge_method")
        if given is None and len(methods) > 1:
            hint = f"For example merge_method: {methods[0].name}."
            raise child.error("the recipe's merge_method is searched; this needs its own", hint)
        own, mark = _methods(given) if given else (methods, None)
        parameters = _read_parameters(fields.get("parameters"), own, notes)
        found[name] = ComponentRule(
            method=own[0].name, parameters=parameters, where=child.where, mark=mark
        )
    return found


def _read_take(node: Node, where: str) -> ComponentRule:
    """The model that a component is taken from, or a search over several."""
    if not is_mark(node):
        return ComponentRule(node.text("take"), where=where)
    mark = read_choices(node, lambda child: child.text("take"), per=False)
    return ComponentRule(str(mark.init), where=where, mark=mark)


def _read_scheduler(node: Node) -> ComponentRule:
    fields = node.mapping("components.scheduler", ("take", "set"))
    if not fields:
        hint = "Write {take: NAME}, {set: {timestep_spacing: trailing}}, or both."
        raise node.error("components.scheduler says nothing", hint)
    return ComponentRule(
        take=fields["take"].text("take") if "take" in fields else None,
        config=read_scheduler(fields["set"]) if "set" in fields else {},
        where=node.where,
    )


def _read_repeat(node: Node | None) -> dict[str, int]:
    """How often, 1 to 8 times, by filter."""
    found: dict[str, int] = {}
    for name, child in (node.mapping("repeat") if node else {}).items():
        found[name] = child.integer("repeat")
        if not 1 <= found[name] <= _MOST_REPEATS:
            hint = f"Write a number from 1 to {_MOST_REPEATS}."
            raise child.error(f"layers cannot be run through {found[name]} times", hint)
    return found


def _read_apply(node: Node | None) -> tuple[Applied, ...]:
    return tuple(map(_read_applied, node.sequence("apply"))) if node else ()


def _read_applied(node: Node) -> Applied:
    """A path alone, or {model: PATH, weight: NUMBER}."""
    if not isinstance(node.value, dict):
        return Applied(node.text("apply"), where=node.where)
    fields = node.mapping("apply", ("model", "weight"))
    weight, mark = fields.get("weight", Node(1.0, node.where)), None
    if is_mark(weight):
        mark = read_single(weight, _APPLIED)
        weight = Node(mark.init, weight.where)
    strength = read_scalar(weight, _APPLIED)
    assert isinstance(strength, float), "a float parameter"
    return Applied(_path(node), strength, node.where, mark)


def _plain(node: Node | None, what: str) -> dict[str, Any]:
    if node is None:
        return {}
    node.mapping(what)
    return node.plain()


def _check_names(stages: tuple[Stage, ...]) -> None:
    names = [stage.name for stage in stages if stage.name]
    for stage in stages:
        if names.count(stage.name) > 1:
            raise RecipeError(f"two stages are called '{stage.name}'", where=stage.where)
