"""LiveMerge: what a plan would save, in a pipeline in memory; the next plan writes what differs."""

from __future__ import annotations

import contextlib
import hashlib
import tempfile
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Self

import torch
from torch import nn

from sdmerge.adapters import MappedSource
from sdmerge.adapters.live import ModuleStore, module_tensors, pipeline_modules
from sdmerge.adapters.opened import OpenedModels
from sdmerge.errors import Cancelled, InputError, PlanError, SdmergeError
from sdmerge.fitting import OpenProbe
from sdmerge.live.memory import Memory, ResidentStore, free_share
from sdmerge.live.pipeline import drawing_dtype, empty_pipeline, move, refuse_incomplete
from sdmerge.merge import Progress, stream
from sdmerge.plan import Plan, Task
from sdmerge.plan.tasks import reads
from sdmerge.sinks import LiveSink
from sdmerge.sinks.pipeline import side_files
from sdmerge.tensors.spec import TensorSpec
from sdmerge.tensors.store import TensorStore


@dataclass(frozen=True, slots=True)
class Shown:
    """What a call of `show` did: tensors written, their bytes as stored, and seconds it took."""

    tensors: int
    nbytes: int
    seconds: float
    rebuilt: bool
    """Whether `pipeline` is another object than before."""


class LiveMerge:
    """A pipeline that always holds the last plan shown, tensor by tensor as a file would hold it.

    To be closed, or used in a `with`.

    device: Where it draws. dtype: What it computes in; float32 on a CPU, float16 elsewhere.
    memory: Bytes of the models' tensors that stay in RAM, by default half of what is free; the rest
        is read again.
    probe: For methods that look at models as they run (sdmerge.sample.probe.pipelines).
    pipeline: One to write into, used where it is; nobody else may change its weights. It must have
        the scheduler and the tokenizers that the plans ask for.
    """

    def __init__(
        self,
        *,
        device: str = "cpu",
        dtype: torch.dtype | None = None,
        memory: int | None = None,
        probe: OpenProbe | None = None,
        pipeline: Any = None,
    ) -> None:
        self.device = device
        self.memory = Memory(free_share() if memory is None else memory)
        self.opened = OpenedModels()
        self._dtype = dtype or drawing_dtype(device)
        self._probe = probe
        self._given = pipeline is not None
        self._pipeline = pipeline
        self._files: Mapping[str, bytes] = {}
        self._plan: Plan | None = None
        self._held: dict[str, str] = {}
        self._addresses: dict[str, str] = {}
        self._sink: LiveSink | None = None
        self._sunk: tuple[Mapping[str, nn.Module], Mapping[str, TensorSpec]] = ({}, {})
        self._folder: tempfile.TemporaryDirectory[str] | None = None

    @property
    def pipeline(self) -> Any:
        """The pipeline with the weights of the last plan; ask again after each `show`."""
        if self._plan is None:
            hint = "Call show() first, and again if it was stopped."
            raise SdmergeError("the pipeline holds no whole model", hint=hint)
        return self._pipeline

    @property
    def plan(self) -> Plan | None:
        """The last plan shown; None before the first, and after one that was stopped half-way."""
        return self._plan

    def address(self, component: str) -> str:
        """The content address of a component's weights as they are now."""
        if component not in self._addresses:
            own = [f"{k}={v}" for k, v in self._held.items() if k.startswith(f"{component}.")]
            digest = hashlib.blake2b("\n".join(sorted(own)).encode(), digest_size=16)
            self._addresses[component] = digest.hexdigest()
        return self._addresses[component]

    def show(
        self,
        plan: Plan,
        *,
        threads: int | None = None,
        progress: Callable[[Progress], None] | None = None,
        cancel: threading.Event | None = None,
    ) -> Shown:
        """Make the pipeline hold what `plan` would save; only tensors that differ are computed.

        A plan that does not fit is an error before anything is written. One that is stopped leaves
        the tensors written so far, and `pipeline` is refused until a plan was shown to its end.
        """
        start = time.perf_counter()
        plan = self._cached(plan)
        rebuilt = self._prepare(plan)
        sink = self._opened_sink(plan)
        self._refuse_own_tensors(plan)
        tasks = {task.key: task for task in plan.tasks}
        wanted = sink.order(plan)
        changed = [
            key for key in wanted
            if self._held.get(key) != plan.keys[key] or _is_unsettled(plan, tasks[key])
        ]  # fmt: skip
        self._plan, self._addresses = None, {}
        self._write(plan, sink, changed, threads=threads, progress=progress, cancel=cancel)
        self._plan = plan
        nbytes = sum(tasks[key].spec.nbytes for key in changed)
        return Shown(len(changed), nbytes, time.perf_counter() - start, rebuilt)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Let go of the models' tensors and of what was found of them; the pipeline stays."""
        self.free()
        if self._folder is not None:
            self._folder.cleanup()
            self._folder = None

    def free(self) -> None:
        """Let go of the models' tensors; the pipeline stays."""
        self.memory.clear()

    def _write(
        self,
        plan: Plan,
        sink: LiveSink,
        changed: Sequence[str],
        *,
        threads: int | None,
        progress: Callable[[Progress], None] | None,
        cancel: threading.Event | None,
    ) -> None:
        if not changed:
            return
        keys = set(changed)
        total, written = sum(t.spec.nbytes for t in plan.tasks if t.key in keys), 0
        tensors = stream(
            self._resident(plan), order=changed, threads=threads, cancel=cancel,
            probe=self._probe, fitting=progress,
        )  # fmt: skip
        with contextlib.closing(tensors), _stopped_half_way():
            for count, (task, tensor) in enumerate(tensors, 1):
                # were the copy to fail, nobody knew what is there
                self._held.pop(task.key, None)
                sink.put(task, tensor)
                self._held[task.key] = plan.keys[task.key]
                written += task.spec.nbytes
                if progress is not None:
                    progress(Progress(count, len(changed), written, total, task.key))

    def _prepare(self, plan: Plan) -> bool:
        """A pipeline for the plan; True if a new one had to be built."""
        refuse_incomplete(plan)
        files = side_files(plan)
        if self._pipeline is not None and (not self._files or files == self._files):
            self._files = files
            return False
        if self._given:
            other = sorted(name for name in files if files[name] != self._files.get(name))
            what = f"the plan has another {other[0]} than the pipeline"
            raise PlanError(what, hint="Show it in a LiveMerge of its own.")
        self._pipeline, self._plan, self._files = None, None, {}
        self._held, self._addresses = {}, {}
        pipeline = empty_pipeline(plan, files, self._dtype)
        move(pipeline, self.device)
        self._pipeline, self._files = pipeline, files
        return True

    def _opened_sink(self, plan: Plan) -> LiveSink:
        """What writes into the pipeline's networks; it stays as long as they and the tensors do."""
        found = pipeline_modules(self._pipeline)
        networks = {part.name: found[part.name] for part in plan.family.components}
        specs = {task.key: task.spec for task in plan.tasks}
        if self._sink is not None and self._sunk == (networks, specs):
            return self._sink
        sink = LiveSink(networks)
        sink.open(plan)
        for name in sink.untouched():
            raise PlanError(f"the plan has no '{name}', which the pipeline draws with")
        self._sink, self._sunk = sink, (networks, specs)
        return sink

    def _refuse_own_tensors(self, plan: Plan) -> None:
        """Nothing unless the plan reads the very weights that are to be overwritten."""
        read = {
            tensor.data_ptr()
            for source in plan.sources
            if isinstance(source, MappedSource)
            for store in source.stores.values()
            if isinstance(store, ModuleStore)
            for tensor in store.tensors.values()
        }
        if not read:
            return
        parts = pipeline_modules(self._pipeline).values()
        own = {tensor.data_ptr() for part in parts for tensor in module_tensors(part).values()}
        if own & read:
            what = "the plan merges the pipeline that it is shown in"
            raise InputError(what, hint="Show it in another pipeline, or save that one first.")

    def _cached(self, plan: Plan) -> Plan:
        """The plan with a place for hashes and findings, which the next one uses again."""
        if plan.cache is not None:
            return plan
        if self._folder is None:
            self._folder = tempfile.TemporaryDirectory(prefix="sdmerge-live-")
        return replace(plan, cache=Path(self._folder.name) / "sha256.json")

    def _resident(self, plan: Plan) -> Plan:
        """The plan over sources that read each tensor once, as far as the memory goes."""
        contents: set[str] = set()

        def kept(store: TensorStore) -> TensorStore:
            if not store.files:
                return store
            content = "".join(plan.hashes[file] for file in store.files)
            contents.add(content)
            return ResidentStore(store, self.memory, content)

        sources = tuple(
            source.over(kept) if isinstance(source, MappedSource) else source
            for source in plan.sources
        )
        self.memory.use(contents)
        return replace(plan, sources=sources)


def _is_unsettled(plan: Plan, task: Task) -> bool:
    """Whether the task reads something in memory, which may change without another address."""
    return any(not plan.sources[read.source].files for read in reads(task.node))


@contextlib.contextmanager
def _stopped_half_way() -> Any:
    try:
        yield
    except Cancelled:
        hint = "Show a plan again before anything is drawn."
        raise Cancelled("stopped; the pipeline holds half a merge", hint=hint) from None
