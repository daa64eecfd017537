"""plan: a recipe resolved against real files, before any tensor is read."""

from __future__ import annotations

import functools
import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from sdmerge.adapters import MappedSource
from sdmerge.adapters.nothing import Nothing
from sdmerge.adapters.opened import OpenedModels
from sdmerge.adapters.source import Source
from sdmerge.album import Album
from sdmerge.errors import PlanError
from sdmerge.families.family import Family
from sdmerge.families.recognise import EXTRA
from sdmerge.params import Scalar
from sdmerge.plan.inputs import Inputs, Member, stored_bytes
from sdmerge.plan.lora import changes, dialect_of
from sdmerge.plan.marks import Marked
from sdmerge.plan.ranks import lora_bytes
from sdmerge.plan.removal import without_idle_layers
from sdmerge.plan.report import Report
from sdmerge.plan.stage import StagePlan, StagePlanner
from sdmerge.plan.tasks import (
    Difference,
    Fit,
    Task,
    fit_key,
    is_copy,
    located,
    reads,
    task_key,
)
from sdmerge.recipe import Recipe
from sdmerge.tensors.content import hashes_of
from sdmerge.tensors.spec import NARROW, TensorSpec, parse_dtype


@dataclass(frozen=True, slots=True)
class Input:
    """A file that the result is made of, as the recipe wrote it."""

    name: str
    written: str
    path: Path
    files: tuple[Path, ...]


@dataclass(frozen=True)
class Plan:
    """What will be done, tensor by tensor. Immutable; nothing but headers was read for it."""

    recipe: Recipe
    family: Family
    variant: str
    tasks: tuple[Task, ...]
    sources: tuple[Source, ...]
    source_names: tuple[str, ...]
    inputs: tuple[Input, ...]
    fits: tuple[Fit, ...]
    """What methods look at before the first tensor is merged, earlier stages first."""
    texts: Mapping[str, str]
    """What files of prompts and the like say, by how the recipe names them."""
    albums: Mapping[str, Album]
    """Pictures that methods look at, by the address of what they show."""
    assets: Mapping[str, Source]
    """Whose tokenizer, scheduler, … the recipe names; others come from the first that has them."""
    scheduler: Mapping[str, Scalar]
    """What the recipe sets in the scheduler's config, whoever it comes from."""
    report: Report
    start: Mapping[str, TensorSpec]
    """What a LoRA is a change of: the tensors of its base; of other results nothing."""
    marks: tuple[Marked, ...] = ()
    """The recipe's search marks that change tensors."""
    cache: Path | None = field(default=None, compare=False)

    @functools.cached_property
    def hashes(self) -> Mapping[Path, str]:
        """The sha256 of every input file; reads each once, unless the cache remembers it."""
        files = list(dict.fromkeys(file for one in self.inputs for file in one.files))
        return hashes_of(files, self.cache)

    def content(self, source: int, key: str) -> str:
        """The content id of the files that hold `key` in a source."""
        opened = self.sources[source]
        files = opened.files_of(key) if isinstance(opened, MappedSource) else opened.files
        if isinstance(opened, Nothing):
            return "nothing"
        return "".join(self.hashes[file] for file in files) or f"live:{id(opened)}"

    @functools.cached_property
    def keys(self) -> Mapping[str, str]:
        """Each tensor's content address; reads every input file once to hash it."""
        return {task.key: task_key(task, self.content, self.fit_keys) for task in self.tasks}

    @functools.cached_property
    def fit_keys(self) -> Sequence[str]:
        """The content address of what each fit finds."""
        found: list[str] = []
        for fit in self.fits:
            found.append(fit_key(fit, self.content, found))
        return found

    @property
    def id(self) -> str:
        """One address for the whole result."""
        return hashlib.sha256("".join(sorted(self.keys.values())).encode()).hexdigest()[:32]


def plan(
    recipe: Recipe,
    *,
    roots: Sequence[Path] = (),
    allow_pickle: bool = False,
    cache: Path | None = None,
    live: Mapping[str, Source] | None = None,
    known: Mapping[str, Path] | None = None,
    partial: bool = False,
    opened: OpenedModels | None = None,
) -> Plan:
    """`recipe` resolved against its files. Whatever does not fit is an error here.

    roots: Folders in which models are looked for.
    cache: A file that remembers the hashes of model files.
    live: Sources in memory, by the path that the recipe gives them.
    known: Where files were found before, by the path that the recipe gives them.
    partial: Leave out modules of LoRAs for which the base has no place; the report lists them.
    opened: Models that earlier plans opened; they are not opened again.
    """
    _refuse_rounding(recipe)
    _refuse_repetition(recipe)
    inputs = Inputs(
        recipe.folder, roots, allow_pickle, live or {}, known or {}, partial,
        opened=opened or OpenedModels(),
    )  # fmt: skip
    members: dict[str, Member] = {}
    stages: list[StagePlan] = []
    is_lora = recipe.output.layout == "lora"
    for stage in recipe.stages:
        change = dialect_of(recipe.output) if is_lora and stage is recipe.stages[-1] else None
        planned = StagePlanner(stage, inputs, members, recipe.seed, change=change).plan()
        stages.append(planned)
        if stage.name:
            members[stage.name] = planned.member
    last = stages[-1]
    if recipe.output.remove_below:
        last.member = without_idle_layers(last.member, recipe.output.remove_below)
        last.notes += last.member.notes
    if is_lora:
        where = recipe.stages[-1].where
        tasks = changes(last.member, last.base, recipe.output, inputs, where)
    else:
        tasks = _tasks(last.member, recipe)
    return Plan(
        recipe=recipe,
        family=last.member.family,
        variant=_variant(inputs, tasks),
        tasks=tasks,
        sources=tuple(inputs.sources),
        source_names=tuple(inputs.names),
        inputs=_inputs(inputs),
        fits=tuple(inputs.fits),
        texts=inputs.texts,
        albums=inputs.albums,
        assets={
            name: member.source for name, member in last.assets.items() if member.source is not None
        },
        scheduler=last.scheduler,
        report=_report(recipe, stages, tasks, inputs),
        start=last.base.specs if is_lora and last.base is not None else {},
        marks=tuple(mark for stage in stages for mark in stage.marks),
        cache=cache,
    )


def _refuse_rounding(recipe: Recipe) -> None:
    """A LoRA is made of factors, which are not what is merged."""
    if recipe.output.layout == "lora" and recipe.output.rounding != "nearest":
        hint = "Leave rounding out, or write a checkpoint."
        raise PlanError(
            "a LoRA's factors are rounded to the nearest", where=recipe.where, hint=hint
        )


def _refuse_repetition(recipe: Recipe) -> None:
    """A LoRA changes the layers that there are."""
    repeating = [stage for stage in recipe.stages if stage.repeat]
    if recipe.output.layout == "lora" and repeating:
        hint = "Leave repeat out, or write a checkpoint."
        raise PlanError("a LoRA cannot repeat layers", where=repeating[0].where, hint=hint)


def _tasks(member: Member, recipe: Recipe) -> tuple[Task, ...]:
    code = parse_dtype(recipe.output.dtype) if recipe.output.dtype else None
    tasks: list[Task] = []
    for key, spec in member.specs.items():
        if recipe.output.prune and key.startswith(EXTRA):
            continue
        stored = TensorSpec(code, spec.shape) if code and spec.is_float else spec
        rounded = recipe.output.rounding == "stochastic" and stored.dtype in NARROW
        tasks.append(Task(key, stored, member.nodes[key], recipe.seed if rounded else None))
    return tuple(tasks)


def _rounding_notes(recipe: Recipe, tasks: Sequence[Task]) -> list[str]:
    if recipe.output.rounding == "nearest":
        return []
    narrow = {task.spec.dtype for task in tasks if task.seed is not None}
    if not narrow:
        return ["rounding: stochastic changes nothing: no tensor is stored in fewer than 32 bits"]
    return [f"rounded to {', '.join(sorted(narrow))} by chance (stochastic, seed {recipe.seed})"]


def _pruning_notes(recipe: Recipe, member: Member) -> list[str]:
    if not recipe.output.prune:
        return []
    count = sum(key.startswith(EXTRA) for key in member.specs)
    return [f"pruned: {count} tensors that no pipeline uses are left out"]


def _variant(inputs: Inputs, tasks: Sequence[Task]) -> str:
    """The variant of the model whose main component the result has."""
    sources = {read.source for task in tasks[:1] for read in reads(task.node)}
    variants = [
        source.variant
        for number in sorted(sources)
        if isinstance(source := inputs.sources[number], MappedSource)
    ]
    return variants[0] if variants else ""


def _inputs(inputs: Inputs) -> tuple[Input, ...]:
    found: list[Input] = []
    for name, source in zip(inputs.names, inputs.sources, strict=True):
        if source.path is not None:
            written = inputs.written.get(source.path, source.path.name)
            found.append(Input(name, written, source.path, source.files))
    return tuple(found)


def _report(
    recipe: Recipe, stages: Sequence[StagePlan], tasks: Sequence[Task], inputs: Inputs
) -> Report:
    last = stages[-1]
    merged = sum(not is_copy(task.node) for task in tasks)
    weights = [source for source in inputs.sources if isinstance(source, MappedSource)]
    left_out = {
        name: source.left_out
        for name, source in zip(inputs.names, inputs.sources, strict=True)
        if isinstance(source, MappedSource) and source.left_out
    }
    return Report(
        family=last.member.family.name,
        variant=next((source.variant for source in weights), ""),
        components=tuple(last.components),
        merged=merged,
        copied=len(tasks) - merged,
        filters=tuple(taken for stage in stages for taken in stage.taken),
        left_out=left_out,
        read_bytes=sum(_read_bytes(task, inputs.sources) for task in tasks),
        write_bytes=_write_bytes(tasks),
        peak_bytes=_peak_bytes(tasks, inputs.sources),
        notes=(
            *recipe.notes,
            *(note for stage in stages for note in stage.notes),
            *_rounding_notes(recipe, tasks),
            *_pruning_notes(recipe, last.member),
        ),
    )


def _read_bytes(task: Task, sources: Sequence[Source]) -> int:
    every = set(located(task.node, task.key))
    return sum(stored_bytes(sources[one.source], key) for one, key in every)


def _held_bytes(task: Task, sources: Sequence[Source]) -> int:
    """What is read, unpacked: a LoRA's change may be needed number by number."""
    read = [(sources[one.source], key) for one, key in set(located(task.node, task.key))]
    return sum(one.specs[key].nbytes for one, key in read if not isinstance(one, Nothing))


def _write_bytes(tasks: Sequence[Task]) -> int:
    """What the result takes; of a LoRA the most, as ranks may turn out smaller."""
    if any(isinstance(task.node, Difference) for task in tasks):
        return lora_bytes(tasks)
    return sum(task.spec.nbytes for task in tasks)


def _peak_bytes(tasks: Sequence[Task], sources: Sequence[Source]) -> int:
    """The largest task's inputs and result, and a float32 copy for what looks at it whole."""
    held = (_held_bytes(task, sources) + task.spec.nbytes + 4 * task.spec.numel for task in tasks)
    return max(held, default=0)
