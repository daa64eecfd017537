"""What `plan`, `merge` and `sample` share: a recipe from a file, or from models and flags."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import click

from sdmerge.cli.main import Session
from sdmerge.errors import InputError, MethodError
from sdmerge.manifest import manifest
from sdmerge.params import Param
from sdmerge.recipe import Recipe, parse_recipe, recipe_from_data
from sdmerge.recipe.dice import rolled
from sdmerge.recipe.edit import documents
from sdmerge.recipe.nodes import parse_yaml
from sdmerge.recipe.read import recipe_text

_SUFFIXES = (".yaml", ".yml")


def is_recipe(path: str) -> bool:
    """Whether an argument is a recipe rather than a model."""
    return path.lower().endswith(_SUFFIXES)


def recipe_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """The options that make or change a recipe."""
    for option in (
        click.option("--set", "settings", multiple=True, metavar="PATH=VALUE",
                     help="Change a value of the recipe: parameters.t=0.3; may be repeated."),
        click.option("--seed", type=int, help="Seed of random masks."),
        click.option("--dice", type=int, metavar="SEED",
                     help="Throw every fraction of the method at random, within its slider."),
        storage_options,
        click.option("--base", help="base_model of an ad hoc merge."),
        click.option("--method", help="merge_method of an ad hoc merge."),
        partial_option,
    ):  # fmt: skip
        command = option(command)
    return command


def partial_option(command: Callable[..., Any]) -> Callable[..., Any]:
    """`--partial`, for LoRAs that fit a base in part."""
    text = "Leave out modules of LoRAs that the base has no place for; list them."
    return click.option("--partial", is_flag=True, help=text)(command)


def storage_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """The options that say how files are read and tensors stored."""
    for option in (
        click.option("--dtype", help="What is stored: float16, bfloat16, float32, …"),
        click.option("--rounding", type=click.Choice(["nearest", "stochastic"]),
                     help="How a narrower dtype is rounded to; by default to the nearest."),
        click.option("--allow-pickle", is_flag=True,
                     help="Read .ckpt and .bin with a restricted loader."),
    ):  # fmt: skip
        command = option(command)
    return command


def prune_option(command: Callable[..., Any]) -> Callable[..., Any]:
    """`--prune`, for results that are models."""
    text = "Leave out tensors that no pipeline uses."
    return click.option("--prune", is_flag=True, help=text)(command)


def stored(recipe: Recipe, options: Mapping[str, Any]) -> Recipe:
    """The recipe with what the command line says of the result."""
    given = {name: options.get(name) for name in ("layout", "dtype", "rounding", "prune")}
    changes = {name: value for name, value in given.items() if value}
    return replace(recipe, output=replace(recipe.output, **changes)) if changes else recipe


def recipe_in(path: Path, settings: Sequence[str], dice: int | None = None) -> Recipe:
    """The recipe in a file; in a job, as the file was when the job was submitted.

    dice: The seed of random values, which `settings` may change.
    """
    context = click.get_current_context(silent=True)
    session = context.find_object(Session) if context else None
    text = session.recipes.get(path.resolve()) if session else None
    text = recipe_text(path) if text is None else text
    if dice is not None:
        settings = [*_thrown((documents(text, str(path)) or [{}])[-1], dice), *settings]
    return parse_recipe(text, str(path), path.resolve().parent, settings)


def _thrown(stage: Mapping[str, Any], dice: int | None) -> list[str]:
    """Random values for a stage, as `--set` takes them; none without a seed."""
    found = rolled(stage, dice) if dice is not None else {}
    return [f"{address}={json.dumps(value)}" for address, value in found.items()]


class RecipeCommand(click.Command):
    """A command with a flag for each parameter of any method, those of plug-ins included."""

    only: str | None = None
    """The method whose parameters it takes; None: of any."""

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self._flags: dict[str, click.Option] = {}

    def get_params(self, ctx: click.Context) -> list[click.Parameter]:
        own = super().get_params(ctx)
        known = {option for param in own for option in param.opts}
        # a word that the command has itself means that; --set says the other
        for name, param in _all_params(self.only).items():
            if f"--{name}" not in known and name not in self._flags:
                self._flags[name] = _flag(param)
        return [*own, *self._flags.values()]


def _flag(param: Param) -> click.Option:
    text = f"{param.doc} Several, with commas: one per model." if param.per_model else param.doc
    return click.Option([f"--{param.name}", _field(param.name)], metavar="VALUE", help=text)


def _field(name: str) -> str:
    return f"param_{name}"


def _all_params(only: str | None) -> Mapping[str, Param]:
    """Every parameter name of one method or every method, described as most of them mean it."""
    meanings: dict[str, dict[str, list[str]]] = {}
    found: dict[str, Param] = {}
    for spec in manifest().values() if only is None else [manifest()[only]]:
        for param in spec.params:
            found.setdefault(param.name, param)
            meanings.setdefault(param.name, {}).setdefault(param.doc, []).append(spec.name)
    return {name: replace(found[name], doc=_described(meanings[name])) for name in sorted(found)}


def _described(meanings: Mapping[str, Sequence[str]]) -> str:
    """The text that most methods share, and whose it is if others have another."""
    doc, names = max(meanings.items(), key=lambda meaning: len(meaning[1]))
    if len(meanings) == 1:
        return doc
    return f"{doc} So in {', '.join(names)}; of others see `sdmerge methods NAME`."


def check_picture(path: Path, *, force: bool) -> None:
    """Refuse a picture that could not be written in the end."""
    if path.suffix.lower() != ".png":
        raise InputError("pictures are written as .png", where=str(path))
    if path.exists() and not force:
        hint = "Choose another name, or pass --force to replace it."
        raise InputError("exists already", where=str(path), hint=hint)


def read_recipe(sources: Sequence[str], options: Mapping[str, Any]) -> Recipe:
    """The recipe that arguments and options mean."""
    settings = [*options["settings"]]
    flags = {
        name[6:]: value for name, value in options.items() if name.startswith("param_") and value
    }
    if options["seed"] is not None:
        settings.append(f"seed={options['seed']}")
    if len(sources) == 1 and is_recipe(sources[0]):
        refused = [
            f"--{name}"
            for name in ("method", "base", *flags)
            if flags.get(name) or options.get(name)
        ]
        if refused:
            hint = "Use --set, for example --set parameters.t=0.3."
            raise InputError(
                f"{', '.join(refused)} belong to an ad hoc merge, not to a recipe", hint=hint
            )
        recipe = recipe_in(Path(sources[0]), settings, options.get("dice"))
    elif any(is_recipe(source) for source in sources):
        raise InputError("give one recipe, or models, not both")
    else:
        data = _ad_hoc(sources, options, flags)
        settings = [*_thrown(data, options.get("dice")), *settings]
        recipe = recipe_from_data(data, "command line", None, settings)
    return stored(recipe, options)


def _ad_hoc(
    sources: Sequence[str], options: Mapping[str, Any], flags: Mapping[str, str]
) -> dict[str, Any]:
    """The recipe data of `A B --method ties --weight 0.7,0.3`."""
    name = options["method"]
    if not name:
        hint = "For example --method linear, or name a recipe that ends with .yaml."
        raise InputError("an ad hoc merge needs --method", hint=hint)
    spec = manifest()[name]
    models: list[dict[str, Any]] = [{"model": source} for source in sources]
    shared: dict[str, Any] = {}
    for flag, text in flags.items():
        param = spec.param(flag)
        if text.lstrip().startswith("{"):  # {lbw: OUTALL}, {preset: GRAD_V}, as in a recipe
            shared[flag] = _flow(text, flag)
            continue
        values = [param.parse(part.strip()) for part in text.split(",")]
        if len(values) == 1:
            shared[flag] = values[0]
            continue
        if not param.per_model or len(values) != len(models):
            wanted = f"one value or {len(models)}" if param.per_model else "one value"
            raise MethodError(
                f"--{flag} has {len(values)} values; it takes {wanted}", hint=param.doc
            )
        for model, value in zip(models, values, strict=True):
            model.setdefault("parameters", {})[flag] = value
    data: dict[str, Any] = {"merge_method": name, "models": models}
    if options["base"]:
        data["base_model"] = options["base"]
    return {**data, "parameters": shared} if shared else data


def _flow(text: str, flag: str) -> Any:
    """A value written as in a recipe, as plain data."""
    nodes = parse_yaml(text, f"--{flag}")
    return nodes[0].plain() if nodes else None


def plan_of(
    session: Session,
    recipe: Recipe,
    *,
    allow_pickle: bool,
    partial: bool = False,
    opened: Any = None,
) -> Any:
    """The plan of `recipe` in this session's workspace; `opened` are models of earlier plans."""
    from sdmerge.plan import plan

    if session.planned is not None:
        session.planned(recipe)
    place = session.workspace
    return plan(
        recipe,
        roots=place.model_roots,
        allow_pickle=allow_pickle,
        cache=place.hashes,
        partial=partial,
        opened=opened,
    )


def probe(plans: Any, seed: int) -> Any:
    """The probe of methods that look at models that run; loads diffusers only for these."""
    from sdmerge.sample.probe import pipelines

    return pipelines(plans, seed)
