"""One training loop for every model: seeded steps, one thread per process, resumable."""

import json
import math
import os
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Generator, Tensor, distributed
from torch.nn import Parameter

from samples.train.paths import WORK
from samples.train.size import scaled

SAVE_SECONDS = 90
REPORT_STEPS = 50
# glibc returns freed activations to the system at every step unless told not to
MALLOC = {
    "OMP_NUM_THREADS": "1",
    "MALLOC_MMAP_THRESHOLD_": "4000000000",
    "MALLOC_TRIM_THRESHOLD_": "4000000000",
    "MALLOC_TOP_PAD_": "200000000",
}


@dataclass(frozen=True, slots=True)
class Schedule:
    """How long to train, and how the learning rate falls: warm-up, then half a cosine."""

    full_steps: int
    batch: int
    averaging: float = 0.998
    warmup: int = 100
    floor: float = 0.01

    @property
    def steps(self) -> int:
        """As many as this run's share."""
        return scaled(self.full_steps, 2)

    def rate(self, step: int) -> float:
        """The factor on the learning rate at `step`."""
        cosine = 0.5 * (1 + math.cos(math.pi * step / self.steps))
        return min(1, (step + 1) / self.warmup) * max(self.floor, cosine)


@dataclass(frozen=True, slots=True)
class Task:
    """What to train and on what; `loss` gets the dice of a step and this process's rows."""

    name: str
    seed: int
    schedule: Schedule
    groups: Sequence[dict[str, Any]]  # AdamW's, each with its `rate`
    loss: Callable[[Generator, slice], Tensor]
    save: Callable[[], object]  # called with the averaged weights in place
    reports: int = 0  # also save every so many steps; 0: only at the end

    @property
    def parameters(self) -> list[Parameter]:
        return [parameter for group in self.groups for parameter in group["params"]]


def launch(build: Callable[[], Task], processes: int) -> None:
    """Train in `processes` single-threaded processes, which share every batch."""
    os.environ.update(MALLOC)  # read by the C library when a process starts
    rendezvous = WORK / f"rendezvous-{os.getpid()}"
    torch.multiprocessing.spawn(
        _process, args=(build, processes, str(rendezvous)), nprocs=processes
    )
    rendezvous.unlink(missing_ok=True)


def _process(rank: int, build: Callable[[], Task], processes: int, rendezvous: str) -> None:
    torch.set_num_threads(1)
    torch.manual_seed(0)
    if processes > 1:
        distributed.init_process_group(
            "gloo", init_method=f"file://{rendezvous}", rank=rank, world_size=processes
        )
    run(build(), rank, processes)
    if processes > 1:
        distributed.barrier()
        distributed.destroy_process_group()


def run(task: Task, rank: int = 0, processes: int = 1) -> None:
    """Train to the last step, from the checkpoint if there is one, and save."""
    state = State(task)
    state.load()
    share = task.schedule.batch // processes
    rows = slice(rank * share, (rank + 1) * share)
    started, saved, first = time.time(), time.process_time(), state.step
    while state.step < task.schedule.steps:
        loss = state.advance(rows, processes)
        if rank == 0 and state.step % REPORT_STEPS == 0:
            _report(task, state.step, loss, (time.time() - started) / (state.step - first))
        if rank == 0 and time.process_time() - saved > SAVE_SECONDS:
            state.save(processes * (time.process_time() - saved))
            saved = time.process_time()
        if rank == 0 and task.reports and state.step % task.reports == 0:
            state.with_average(task.save)
    if rank == 0:
        state.save(processes * (time.process_time() - saved))
        state.with_average(task.save)


def _report(task: Task, step: int, loss: float, seconds: float) -> None:
    left = (task.schedule.steps - step) * seconds / 60
    line = f"{task.name}: step {step}/{task.schedule.steps}, loss {loss:.4f}, "
    print(f"{line}{seconds:.3f} s/step, {left:.1f} min left", file=sys.stderr, flush=True)


class State:
    """Weights, their running average, the optimiser and the step."""

    def __init__(self, task: Task) -> None:
        self.task = task
        self.step = 0
        self.seconds = 0.0
        self.smooth: float | None = None
        self.optimiser = torch.optim.AdamW(task.groups, betas=(0.9, 0.99), weight_decay=0.0)
        self.average = [parameter.detach().clone() for parameter in task.parameters]

    @property
    def path(self) -> Path:
        return WORK / f"{self.task.name}.checkpoint.pt"

    def advance(self, rows: slice, processes: int) -> float:
        """One step; the loss, smoothed."""
        for group in self.optimiser.param_groups:
            group["lr"] = group["rate"] * self.task.schedule.rate(self.step)
        dice = Generator().manual_seed(self.task.seed * 1_000_003 + self.step)
        loss = self.task.loss(dice, rows)
        self.optimiser.zero_grad()
        loss.backward()
        if processes > 1:
            _share(self.task.parameters, processes)
        torch.nn.utils.clip_grad_norm_(self.task.parameters, 1.0)
        self.optimiser.step()
        self.step += 1
        self._average()
        fresh = loss.item()
        self.smooth = fresh if self.smooth is None else self.smooth + 0.02 * (fresh - self.smooth)
        return self.smooth

    @torch.no_grad()
    def _average(self) -> None:
        keep = min(self.task.schedule.averaging, self.step / (self.step + 10))
        now = [parameter.detach() for parameter in self.task.parameters]
        torch._foreach_lerp_(self.average, now, 1 - keep)

    @torch.no_grad()
    def with_average(self, call: Callable[[], object]) -> None:
        """Call with the averaged weights in place of the trained ones."""
        trained = [parameter.detach().clone() for parameter in self.task.parameters]
        for parameter, average in zip(self.task.parameters, self.average, strict=True):
            parameter.copy_(average)
        call()
        for parameter, value in zip(self.task.parameters, trained, strict=True):
            parameter.copy_(value)

    def save(self, seconds: float) -> None:
        self.seconds += seconds
        state = {
            "step": self.step,
            "seconds": self.seconds,
            "parameters": [parameter.detach() for parameter in self.task.parameters],
            "average": self.average,
            "optimiser": self.optimiser.state_dict(),
        }
        partial = self.path.with_suffix(".partial")
        torch.save(state, partial)
        partial.replace(self.path)
        record = {"steps": self.step, "batch": self.task.schedule.batch}
        record |= {"minutes": round(self.seconds / 60, 1)}
        (WORK / f"{self.task.name}.record.json").write_text(json.dumps(record), "utf-8")

    @torch.no_grad()
    def load(self) -> None:
        if not self.path.exists():
            return
        state = torch.load(self.path)
        self.step, self.seconds, self.average = state["step"], state["seconds"], state["average"]
        for parameter, value in zip(self.task.parameters, state["parameters"], strict=True):
            parameter.copy_(value)
        self.optimiser.load_state_dict(state["optimiser"])


def _share(parameters: Sequence[Parameter], processes: int) -> None:
    """Replace every gradient by its mean over the processes."""
    gradients = [parameter.grad for parameter in parameters if parameter.grad is not None]
    flat = torch.cat([gradient.reshape(-1) for gradient in gradients])
    distributed.all_reduce(flat)
    flat /= processes
    parts = flat.split([gradient.numel() for gradient in gradients])
    for gradient, part in zip(gradients, parts, strict=True):
        gradient.copy_(part.view_as(gradient))
