"""merge: a plan becomes a stream of tensors, and a sink takes them."""

from __future__ import annotations

import contextlib
import os
import threading
from collections import Counter, deque
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any, TypeVar

import torch
from torch import Tensor

from sdmerge.engine import SLAB, Engine, Findings
from sdmerge.errors import Cancelled, InputError
from sdmerge.fitting import Log, OpenProbe, fitted
from sdmerge.methods import METHODS
from sdmerge.methods.kernels import compiled
from sdmerge.plan.build import Plan
from sdmerge.plan.tasks import Fit, Task, merges
from sdmerge.sinks import Sink
from sdmerge.sinks.sink import Maker

T = TypeVar("T")

IN_FLIGHT = 256 << 20
"""Bytes of results that may wait to be written: enough to keep disk and processor busy at once."""


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a merge is; `key` is the tensor just written.

    `what` is "merging", or before that "fitting" with the method that looks at the models; then
    bytes are those of the models' tensors, and `key` is empty. `log` is what the fit says of how
    it goes: numbers by name, one for each time they were told.
    """

    tensors: int
    of_tensors: int
    written: int
    of_bytes: int
    key: str
    what: str = "merging"
    log: Log = field(default_factory=dict[str, Sequence[float]])


def stream(
    plan: Plan,
    *,
    order: Sequence[str] | None = None,
    threads: int | None = None,
    slab: int = SLAB,
    cancel: threading.Event | None = None,
    probe: OpenProbe | None = None,
    fitting: Callable[[Progress], None] | None = None,
) -> Generator[tuple[Task, Tensor]]:
    """Each task with its tensor (flat, in the output dtype), in `order` or the plan's.

    The bytes do not depend on `threads`, `slab` or `order`. `cancel` is looked at between tensors.
    What methods want to know of several tensors is found first, with `probe` where they look at
    models that run (sdmerge.sample.probe.pipelines); `fitting` is told how far that is.
    """
    tensors = _made(
        plan, Engine.run_all, order=order, threads=threads, slab=slab, cancel=cancel, probe=probe,
        fitting=fitting,
    )  # fmt: skip
    with contextlib.closing(tensors):
        yield from tensors


def _made(
    plan: Plan,
    make: Callable[[Engine, Sequence[Task]], Sequence[T]],
    *,
    order: Sequence[str] | None,
    threads: int | None,
    slab: int,
    cancel: threading.Event | None,
    probe: OpenProbe | None,
    fitting: Callable[[Progress], None] | None,
) -> Generator[tuple[Task, T]]:
    """Each task with what `make` makes of it, and of small ones beside it."""
    tasks = {task.key: task for task in plan.tasks}
    wanted = [tasks[key] for key in (order if order is not None else tasks)]
    workers = threads or os.cpu_count() or 1

    def report(fit: Fit, done: float, log: Log) -> None:
        if fitting is not None:
            fitting(_fitting(fit, done, log))

    # torch keeps its number of threads per calling thread
    with (
        one_torch_thread(),
        fitted(plan, wanted, open_probe=probe, report=report, cancel=cancel) as fits,
        ThreadPoolExecutor(workers, "sdmerge", torch.set_num_threads, (1,)) as pool,
    ):
        engine = _engine(plan, wanted, slab, fits)
        try:
            for some, future in _in_flight(
                _portions(wanted, slab), lambda some: pool.submit(make, engine, some), workers
            ):
                for task, made in zip(some, future.result(), strict=True):
                    if cancel is not None and cancel.is_set():
                        raise Cancelled("the merge was stopped", hint="Nothing was written.")
                    yield task, made
        finally:
            pool.shutdown(wait=True, cancel_futures=True)


def _fitting(fit: Fit, done: float, log: Log) -> Progress:
    tensors = len(fit.merges) * len(fit.names)
    size = sum(4 * spec.numel for spec in fit.specs.values()) * len(fit.names)
    what = f"fitting {fit.method}"
    return Progress(round(done * tensors), tensors, round(done * size), size, "", what, log)


def _engine(plan: Plan, tasks: Sequence[Task], slab: int, fits: Sequence[Findings]) -> Engine:
    """The engine for `tasks`, with compiled loops where there is enough to do for them."""
    elements: Counter[str] = Counter()
    for task in tasks:
        for name in merges(task.node):
            elements[name] += task.spec.numel
    methods, counting = compiled(METHODS, elements)
    return Engine(plan.sources, plan.source_names, methods, slab, fits, tally=counting)


def _portions(tasks: Sequence[Task], slab: int) -> Iterator[Sequence[Task]]:
    """Tasks that one thread does at a time: neighbours of a slab's size together, or a large one.

    A model's many small tensors would else cost more in passing them about than in merging them.
    """
    portion, elements = list[Task](), 0
    for task in tasks:
        if portion and elements + task.spec.numel > slab:
            yield portion
            portion, elements = [], 0
        portion.append(task)
        elements += task.spec.numel
    if portion:
        yield portion


def _in_flight(
    portions: Iterable[Sequence[Task]],
    submit: Callable[[Sequence[Task]], Future[T]],
    workers: int,
) -> Iterator[tuple[Sequence[Task], Future[T]]]:
    """Portions with their futures, in order; later ones are submitted while earlier are used."""
    waiting: deque[tuple[Sequence[Task], Future[T]]] = deque()
    held = 0
    for portion in portions:
        waiting.append((portion, submit(portion)))
        held += _size(portion)
        while (held > IN_FLIGHT and len(waiting) > workers) or len(waiting) > 64 * workers:
            first, future = waiting.popleft()
            held -= _size(first)
            yield first, future
            del future
    while waiting:
        yield waiting.popleft()


def _size(tasks: Sequence[Task]) -> int:
    return sum(task.spec.nbytes for task in tasks)


@contextlib.contextmanager
def one_torch_thread() -> Generator[None]:
    """One thread per torch operation: tasks run side by side, and sums keep their order."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def run(
    plan: Plan,
    sink: Sink | Maker,
    *,
    threads: int | None = None,
    slab: int = SLAB,
    progress: Callable[[Progress], None] | None = None,
    cancel: threading.Event | None = None,
    probe: OpenProbe | None = None,
) -> None:
    """Merge `plan` into `sink`. Whatever goes wrong, the sink leaves nothing that looks whole."""
    if not isinstance(sink, Maker):
        refuse_lora(plan)
    try:
        sink.open(plan)
        wanted = sink.order(plan)
        make = _by(sink) if isinstance(sink, Maker) else Engine.run_all
        tensors = _made(
            plan, make, order=wanted, threads=threads, slab=slab, cancel=cancel, probe=probe,
            fitting=progress,
        )  # fmt: skip
        with contextlib.closing(tensors):
            _pour(plan, tensors, sink, progress)
        sink.commit()
    except BaseException:
        sink.abort()
        raise


def _by(maker: Maker) -> Callable[[Engine, Sequence[Task]], Sequence[Any]]:
    return lambda engine, tasks: [maker.make(engine, task) for task in tasks]


def refuse_lora(plan: Plan) -> None:
    """An InputError if the result is no model: its tensors are changes of another's."""
    if plan.recipe.output.layout == "lora":
        hint = "Take 'layout: lora' out of the recipe, or write it with LoraSink."
        raise InputError("the recipe's result is a LoRA, not a model", hint=hint)


def _pour(
    plan: Plan,
    tensors: Iterator[tuple[Task, Any]],
    sink: Sink | Maker,
    progress: Callable[[Progress], None] | None,
) -> None:
    """Every tensor into the open sink, with progress after each."""
    total, written = sum(task.spec.nbytes for task in plan.tasks), 0
    for count, (task, tensor) in enumerate(tensors, 1):
        sink.put(task, tensor)
        written += task.spec.nbytes
        if progress is not None:
            progress(Progress(count, len(plan.tasks), written, total, task.key))
