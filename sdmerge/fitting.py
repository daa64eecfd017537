"""Fitting: what methods look at before the first tensor is merged, found once and kept on disk."""

from __future__ import annotations

import contextlib
import tempfile
import threading
from collections.abc import Callable, Generator, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from sdmerge.album import Album, Reference
from sdmerge.engine import Engine, Findings
from sdmerge.errors import Cancelled, PlanError, SdmergeError
from sdmerge.fit import Change, Probe, Said, untold
from sdmerge.method import Method, as_tensor
from sdmerge.methods import METHODS
from sdmerge.plan.build import Plan
from sdmerge.plan.tasks import Difference, Fit, Node, Task, fits_below, reads
from sdmerge.tensors.spill import Spill, write_spill
from sdmerge.whole import Whole

OpenProbe = Callable[[Sequence[Plan], int], Probe]
"""Makes a probe of the inputs, given as plans of whole models, and of a seed."""

Log = Mapping[str, Sequence[float]]
"""What a fit says of how it goes: numbers by name, one for each time they were told."""

Report = Callable[[Fit, float, Log], None]
"""Takes a fit, the share of it that is done and what it said so far."""

_LOG = ""  # no tensor has this key

KEPT = 20 << 30
"""Bytes of findings that a workspace keeps; older ones make room for new ones."""


@dataclass(frozen=True)
class FitModels:
    """The inputs of a fit, as sdmerge.fit.Models describes them."""

    fit: Fit
    engine: Engine
    given_probe: Probe | None = None
    told: Said = untold
    albums: Mapping[str, Album] = field(default_factory=dict[str, Album])

    @property
    def names(self) -> tuple[str, ...]:
        return self.fit.names

    @property
    def shapes(self) -> Mapping[str, tuple[int, ...]]:
        return {key: spec.shape for key, spec in self.fit.specs.items()}

    @property
    def probe(self) -> Probe:
        if self.given_probe is None:
            what = f"{self.fit.method} looks at models that run, and was given none"
            raise PlanError(what, hint="Pass probe=sdmerge.sample.probe.pipelines to run().")
        return self.given_probe

    def block(self, key: str) -> str:
        return self.fit.blocks[key]

    def whole(self, key: str) -> Whole:
        self.told(-1.0, {})
        return self.engine.whole(self.fit.merges[key], key, self.fit.specs[key].shape)

    def read(self, place: int, key: str) -> Tensor:
        merge, shape = self.fit.merges[key], self.fit.specs[key].shape
        alone = replace(merge, inputs=merge.inputs[place : place + 1])
        numel = self.fit.specs[key].numel
        return self.engine.whole(alone, key, shape).row(0, 0, numel).reshape(shape)

    def change(self, place: int, key: str) -> Change | None:
        node = self.fit.merges[key].inputs[place]
        if node is None:
            return None
        shape = self.fit.specs[key].shape
        factors = self.engine.factors(node, self.fit.bases[key], key, shape)
        if factors is not None:
            return factors if factors.rank else None
        found = self.read(place, key)
        return found if found.any() else None

    def base(self, key: str) -> Tensor:
        return self.engine.tensor(self.fit.bases[key], key, self.fit.specs[key].shape)

    def pictures(self, address: str) -> Sequence[Reference]:
        return self.albums[address] if address else ()

    def report(self, done: float, numbers: Mapping[str, float] | None = None) -> None:
        self.told(done, numbers or {})


def find(fit: Fit, method: Method, models: FitModels) -> Iterable[tuple[str, Any]]:
    """What the method's fit yields; a key that is none of its own is a bug of its author's."""
    if method.fit is None:
        raise SdmergeError(f"the method {method.name} has no fit")
    for key, value in method.fit.run(models, _values(fit)):
        if key not in fit.merges:
            raise SdmergeError(f"the fit of {method.name} yields '{key}', which it was not shown")
        yield key, value


def _values(fit: Fit) -> dict[str, Any]:
    return {name: as_tensor(value, torch.float64) for name, value in fit.values}


@contextlib.contextmanager
def fitted(
    plan: Plan,
    tasks: Sequence[Task],
    *,
    open_probe: OpenProbe | None = None,
    report: Report | None = None,
    cancel: threading.Event | None = None,
) -> Generator[Sequence[Findings]]:
    """The findings of the plan's fits, of those that `tasks` need; the others are empty."""
    wanted = _wanted(plan, tasks)
    found: list[Findings] = []
    with contextlib.ExitStack() as stack:
        spare = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="sdmerge-fit-")))
        for number, fit in enumerate(plan.fits):
            if number not in wanted:
                found.append(_Nothing())
                continue
            path = _place(plan, number) or spare / f"{number}.npz"
            if not path.exists():
                write_spill(
                    path,
                    _find(plan, fit, found, open_probe=open_probe, report=report, cancel=cancel),
                )
                _make_room(path)
            spill = Spill(path)
            stack.callback(spill.close)
            found.append(spill)
            if report is not None and (log := _log(spill)):
                report(fit, 1.0, log)
        yield found


class _Nothing:
    """The findings of a fit that nothing asks for."""

    def of(self, key: str) -> Mapping[str, Tensor]:
        del key
        return {}


def _find(
    plan: Plan,
    fit: Fit,
    found: Sequence[Findings],
    *,
    open_probe: OpenProbe | None,
    report: Report | None,
    cancel: threading.Event | None,
) -> Iterable[tuple[str, Any]]:
    log: dict[str, list[float]] = {}

    def told(done: float, numbers: Mapping[str, float]) -> None:
        if cancel is not None and cancel.is_set():
            raise Cancelled("the merge was stopped", hint="Nothing was written.")
        for name, number in numbers.items():
            log.setdefault(name.replace("|", " "), []).append(number)  # as spills name things
        if report is not None and done >= 0:
            report(fit, done, log)

    engine = Engine(plan.sources, plan.source_names, METHODS, fits=found)
    probe = None
    if fit.probe is not None and open_probe is not None:
        inputs = fit.models or (plan.tasks,)
        # whatever the recipe makes of them, the inputs are models
        output = replace(plan.recipe.output, layout=None)
        recipe = replace(plan.recipe, output=output)
        probe = open_probe(
            [replace(plan, recipe=recipe, tasks=model) for model in inputs], fit.seed or 0
        )
    told(0.0, {})
    yield from find(fit, METHODS[fit.method], FitModels(fit, engine, probe, told, plan.albums))
    yield _LOG, {name: torch.tensor(numbers, dtype=torch.float64) for name, numbers in log.items()}


def _log(spill: Spill) -> Log:
    """What the fit said when it was made, if it said anything."""
    found = spill.of(_LOG)
    assert isinstance(found, Mapping), "a log has names"
    return {name: [float(one) for one in numbers] for name, numbers in found.items()}


def _wanted(plan: Plan, tasks: Sequence[Task]) -> set[int]:
    """The fits that the tasks ask for, and those that these ask for."""
    wanted = {number for task in tasks for number in fits_below(task.node)}
    for number in reversed(range(len(plan.fits))):
        if number in wanted:
            wanted |= {below for node in _nodes(plan.fits[number]) for below in fits_below(node)}
    return wanted


def _nodes(fit: Fit) -> list[Node | Difference]:
    seen: list[Node] = [
        node for merge in fit.merges.values() for node in merge.inputs if node is not None
    ]
    return [*seen, *fit.bases.values(), *(task.node for model in fit.models for task in model)]


def _place(plan: Plan, number: int) -> Path | None:
    """Where the workspace keeps the findings; None without one, or for models in memory."""
    sources = {read.source for node in _nodes(plan.fits[number]) for read in reads(node)}
    # what a score says depends on code that is not in the address
    scored = plan.fits[number].probe == "score"
    if plan.cache is None or scored or not all(plan.sources[source].files for source in sources):
        return None
    folder = plan.cache.parent / "fits"
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError:
        return None
    return folder / f"{plan.fit_keys[number]}.npz"


def _make_room(newest: Path) -> None:
    """Remove the oldest findings beside the newest, if there are too many."""
    with contextlib.suppress(OSError):
        others = [path for path in newest.parent.glob("*.npz") if path != newest]
        room = KEPT - newest.stat().st_size
        for path in sorted(others, key=lambda path: path.stat().st_mtime, reverse=True):
            room -= path.stat().st_size
            if room < 0:
                path.unlink(missing_ok=True)
