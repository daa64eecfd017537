"""Settings: what a recipe's `evolve:` says, typed and checked. Imports no torch.

    evolve:
      prompts: {search: search.jsonl, validation: validation.jsonl, test: test.jsonl}
      fitness: [{scorer: clip, model: clip_a, weight: 1.0}]
      report: [{scorer: clip, model: clip_b}]
      never_below: [{scorer: aesthetic}]
      sampler: {steps: {search: [2, 8]}, guidance_scale: 1.0, images_per_prompt: 1}
      engine: {name: cma-es, population: 12}
      start: best.yaml
      trials: 200

Files are relative to the recipe.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from sdmerge.errors import InputError, RecipeError
from sdmerge.evolve.numbers import LIMITS, NUMBERS, Numbers
from sdmerge.params import Param, Scalar, find_param
from sdmerge.recipe import Recipe, Search
from sdmerge.recipe.marks import is_mark, read_choices, read_scalar, read_single
from sdmerge.recipe.nodes import Node, to_nodes
from sdmerge.sample.settings import SAMPLING, check_setting
from sdmerge.scoring.choice import Choice, choice_from

_IN_SAMPLER = ("images_per_prompt",)
_OWN = tuple(name for name in NUMBERS if name not in _IN_SAMPLER)
_KEYS = ("prompts", "fitness", "report", "never_below", "sampler", "engine", "start", *_OWN)
_WEIGHT = Param("weight", "float", 1.0, "How much this score counts in the sum.")
_FILES = ("model", "tokenizer", "processor")
"""Parameters of scorers that name files."""
_EXAMPLE = "evolve: {prompts: {search: prompts.txt}, fitness: [{scorer: clip}]}"


@dataclass(frozen=True, slots=True)
class Prompts:
    """Files of prompts: what is searched with, what watches over it, and what is asked once."""

    search: Path
    validation: Path | None = None
    test: Path | None = None


@dataclass(frozen=True, slots=True)
class Fitness:
    """A scorer that is optimised, and its weight in the sum where there is one objective."""

    choice: Choice
    weight: float = 1.0


@dataclass(frozen=True, slots=True)
class EngineChoice:
    """An engine by name, with the options that were given, not yet checked."""

    name: str = "cma-es"
    options: Mapping[str, Node] = field(default_factory=dict[str, Node])
    where: str = ""

    def values(self, params: Iterable[Param]) -> dict[str, Scalar]:
        """The options as the engine's parameters; what it does not take is a RecipeError."""
        known = tuple(params)
        return {name: _option(self.name, known, name, node) for name, node in self.options.items()}


@dataclass(frozen=True, slots=True)
class Settings:
    """What a search is told. `sampling` holds values and searches; what is absent suits the model.

    never_below: Scorers by which the winner may not fall below the best parent.
    start: Recipes of the same shape: candidates of the user's own, the first of which is the start.
    """

    prompts: Prompts
    fitness: tuple[Fitness, ...]
    report: tuple[Choice, ...] = ()
    never_below: tuple[Choice, ...] = ()
    sampling: Mapping[str, Scalar | Search] = field(default_factory=dict[str, Scalar | Search])
    engine: EngineChoice = EngineChoice()
    start: tuple[Path, ...] = ()
    numbers: Numbers = field(default_factory=Numbers)


def read_settings(recipe: Recipe, given: Mapping[str, object] | None = None) -> Settings:
    """The settings of `recipe`, with the numbers `given` on top, such as those of flags."""
    node = _node(recipe)
    fields = node.mapping("evolve", _KEYS)
    for key in ("prompts", "fitness"):
        if key not in fields:
            raise node.error(f"evolve needs '{key}'", f"For example {_EXAMPLE}.")
    folder = recipe.folder or Path()
    return Settings(
        prompts=_prompts(fields["prompts"], folder),
        fitness=tuple(_fitness(one, folder) for one in _entries(fields["fitness"], "fitness")),
        report=_choices(fields, "report", folder),
        never_below=_choices(fields, "never_below", folder),
        sampling=_sampling(fields.get("sampler")),
        engine=_engine(fields["engine"]) if "engine" in fields else EngineChoice(),
        start=_start(fields["start"], folder) if "start" in fields else (),
        numbers=_numbers(fields, given or {}),
    )


def read_sampler(recipe: Recipe) -> dict[str, Scalar | Search]:
    """What `evolve.sampler` says of drawing: values and searches by the settings' names."""
    return _sampling(_node(recipe).mapping("evolve", _KEYS).get("sampler"))


def _node(recipe: Recipe) -> Node:
    return to_nodes(recipe.evolve, recipe.where, "evolve", recipe.lines)


def _prompts(node: Node, folder: Path) -> Prompts:
    fields = node.mapping("prompts", ("search", "validation", "test"))
    if "search" not in fields:
        raise node.error("prompts need 'search'", "A file with a prompt per line, or JSONL.")
    return Prompts(**{name: _file(child, name, folder) for name, child in fields.items()})


def _file(node: Node, what: str, folder: Path) -> Path:
    path = folder / Path(node.text(what)).expanduser()
    if not path.is_file():
        raise node.error(f"there is no file '{node.value}'", f"Looked for {path}.")
    return path


def _start(node: Node, folder: Path) -> tuple[Path, ...]:
    nodes = node.value if isinstance(node.value, list) else [node]
    return tuple(_file(one, "start", folder) for one in nodes)


def _entries(node: Node, what: str) -> list[Node]:
    entries = node.sequence(what)
    if not entries:
        raise node.error(f"{what} names no scorer", "For example [{scorer: clip}].")
    return entries


def _fitness(node: Node, folder: Path) -> Fitness:
    fields = dict(node.mapping("a scorer"))
    weight = fields.pop("weight", None)
    choice = _choice(Node(fields, node.where), folder)
    return Fitness(choice, _number(weight, _WEIGHT) if weight else 1.0)


def _choices(fields: Mapping[str, Node], name: str, folder: Path) -> tuple[Choice, ...]:
    entries = _entries(fields[name], name) if name in fields else []
    return tuple(_choice(one, folder) for one in entries)


def _choice(node: Node, folder: Path) -> Choice:
    """The scorer that an entry means; files are looked for beside the recipe first."""
    fields = node.mapping("a scorer")
    if "scorer" not in fields:
        raise node.error("this names no scorer", "For example {scorer: clip}.")
    entry = node.plain()
    for name, value in entry.items():
        if name in _FILES and isinstance(value, str) and value:
            beside = folder / Path(value).expanduser()
            entry[name] = str(beside) if beside.exists() else value
    try:
        return choice_from(entry)
    except InputError as error:
        named = next((one for key, one in fields.items() if f"'{key}'" in error.what), node)
        raise RecipeError(error.what, where=named.where, hint=error.hint) from None


def _sampling(node: Node | None) -> dict[str, Scalar | Search]:
    fields = node.mapping("sampler", (*SAMPLING, *_IN_SAMPLER)) if node else {}
    return {
        name: _drawing(name, child) for name, child in fields.items() if name not in _IN_SAMPLER
    }


def _drawing(name: str, node: Node) -> Scalar | Search:
    if not is_mark(node):
        return _setting(name, node)
    if SAMPLING[name].kind == "choice":
        return read_choices(node, lambda child: _setting(name, child), per=False)
    return read_single(node, SAMPLING[name])


def _setting(name: str, node: Node) -> Scalar:
    try:
        return check_setting(name, node.value)
    except InputError as error:
        raise node.error(error.what, error.hint) from None


def _engine(node: Node) -> EngineChoice:
    if not isinstance(node.value, dict):
        return EngineChoice(node.text("engine"), where=node.where)
    fields = dict(node.value)
    if "name" not in fields:
        raise node.error("engine needs a name", "For example {name: cma-es, population: 12}.")
    return EngineChoice(fields.pop("name").text("the engine's name"), fields, node.where)


def _option(engine: str, params: tuple[Param, ...], name: str, node: Node) -> Scalar:
    try:
        param = find_param(engine, params, name)
    except InputError as error:
        raise node.error(error.what, error.hint) from None
    return read_scalar(node, param)


def _numbers(fields: Mapping[str, Node], given: Mapping[str, object]) -> Numbers:
    sampler = fields["sampler"].mapping("sampler") if "sampler" in fields else {}
    nodes = {name: fields[name] for name in _OWN if name in fields}
    nodes |= {name: sampler[name] for name in _IN_SAMPLER if name in sampler}
    found: dict[str, Any] = {name: read_scalar(node, NUMBERS[name]) for name, node in nodes.items()}
    found |= {name: NUMBERS[name].check(value) for name, value in given.items()}
    if not any(name in found for name in LIMITS):
        found["trials"] = NUMBERS["trials"].default
    return Numbers(**found)


def _number(node: Node, param: Param) -> float:
    return float(read_scalar(node, param))
