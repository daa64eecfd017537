"""Interference: the tensors of a recipe's models read and compared, block by block."""

from __future__ import annotations

import contextlib
import functools
import os
import threading
from collections.abc import Callable, Generator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace

import torch

from sdmerge.analysis.sums import Measures, Sums
from sdmerge.engine import Engine
from sdmerge.errors import Cancelled, PlanError
from sdmerge.families.family import Family
from sdmerge.merge import one_torch_thread
from sdmerge.methods import METHODS
from sdmerge.plan import Combine, Plan, Task
from sdmerge.plan.tasks import located
from sdmerge.recipe import ComponentRule, Output, Recipe


@dataclass(frozen=True, slots=True)
class Interference:
    """How the models agree, in each block and in all. `based`: deltas, and not weights."""

    names: tuple[str, ...]
    based: bool
    blocks: Mapping[str, Measures]
    whole: Measures


def comparison(recipe: Recipe) -> Recipe:
    """The recipe with its last stage made to add up the models' differences from its base.

    Without a base, to average the models. What it takes whole, it still does.
    """
    last = recipe.stages[-1]
    method = "linear" if last.base is None else "task_arithmetic"
    plain = replace(
        last,
        method=method,
        models=tuple(replace(model, parameters={}) for model in last.models),
        parameters={},
        components={
            name: rule if rule.method is None else ComponentRule(method=method, where=rule.where)
            for name, rule in last.components.items()
        },
    )
    return replace(recipe, stages=(*recipe.stages[:-1], plain), output=Output())


def measure(
    plan: Plan,
    *,
    threads: int | None = None,
    progress: Callable[[int, int], None] | None = None,
    cancel: threading.Event | None = None,
) -> Interference:
    """How the models agree that `plan`, which is of a `comparison`, merges.

    `progress` takes the bytes read and to be read; `cancel` is looked at between tensors. Memory
    does not grow with the models: a thread holds one tensor of each.
    """
    tasks = [task for task in plan.tasks if isinstance(task.node, Combine) and task.spec.numel]
    if not tasks:
        what = "the models have no tensor in which they differ: there is nothing to analyse"
        raise PlanError(what, where=plan.recipe.where)
    names = _names(plan, tasks)
    whole, blocks = Sums.of(len(names)), dict[str, Sums]()
    total, done = sum(_bytes(plan, task) for task in tasks), 0
    with contextlib.closing(_read(plan, tasks, names, threads, cancel)) as read:
        for task, sums in zip(tasks, read, strict=True):
            block = blocks.setdefault(label(plan.family, task.key), Sums.of(len(names)))
            for place in (block, whole):
                place.add(sums)
            done += _bytes(plan, task)
            if progress is not None:
                progress(done, total)
    order = sorted(blocks, key=functools.partial(_place, plan.family))
    return Interference(
        names=names,
        based=plan.recipe.stages[-1].base is not None,
        blocks={name: blocks[name].measures() for name in order},
        whole=whole.measures(),
    )


def _read(
    plan: Plan,
    tasks: Sequence[Task],
    names: Sequence[str],
    threads: int | None,
    cancel: threading.Event | None,
) -> Generator[Sums]:
    """The sums of each task, in order; several tasks are at work at once."""
    engine = Engine(plan.sources, plan.source_names, METHODS)
    workers = threads or os.cpu_count() or 1
    with (
        one_torch_thread(),
        ThreadPoolExecutor(workers, "sdmerge", torch.set_num_threads, (1,)) as pool,
    ):
        try:
            for sums in pool.map(functools.partial(_sums, engine, names), tasks):
                if cancel is not None and cancel.is_set():
                    raise Cancelled("the analysis was stopped")
                yield sums
        finally:
            pool.shutdown(wait=True, cancel_futures=True)


def _sums(engine: Engine, names: Sequence[str], task: Task) -> Sums:
    """What one tensor says."""
    assert isinstance(task.node, Combine)
    sums = Sums.of(len(names))
    sums.tensors = 1
    places = [names.index(name) for name in task.node.names]
    for stack, base in engine.slabs(task):
        sums.look(stack, base, places)
    return sums


def _names(plan: Plan, tasks: Sequence[Task]) -> tuple[str, ...]:
    """The models that take part, as the recipe orders them."""
    found = {name for task in tasks if isinstance(task.node, Combine) for name in task.node.names}
    return tuple(model.name for model in plan.recipe.stages[-1].models if model.name in found)


def _bytes(plan: Plan, task: Task) -> int:
    """What is read for a task."""
    every = set(located(task.node, task.key))
    return sum(plan.sources[read.source].specs[key].nbytes for read, key in every)


def label(family: Family, key: str) -> str:
    """The row of the report that a tensor is in: its block, or the component if that has none."""
    block, component = family.block(key), key.partition(".")[0]
    if block in family.blocks:
        return block
    return component if component in family.by_name else block or "extra"


def _place(family: Family, row: str) -> tuple[int, int]:
    """Where a row stands: what comes before the blocks, the blocks by depth, what comes after."""
    if row in family.blocks:
        return 1, family.blocks.index(row)
    component = family.by_name.get(row)
    before = row == "BASE" or (component is not None and component.block == "BASE")
    return (0 if before else 2), [*family.by_name, row].index(row)
