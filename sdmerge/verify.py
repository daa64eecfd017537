"""verify: merge again in memory and compare, tensor by tensor, with what lies on the disk."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch

from sdmerge.adapters import MappedSource, open_model
from sdmerge.adapters.lora.saving import stored_tensors
from sdmerge.errors import InputError
from sdmerge.families.recognise import EXTRA
from sdmerge.fitting import OpenProbe
from sdmerge.merge import Progress, run, stream
from sdmerge.plan import Plan, plan
from sdmerge.sinks import LoraSink
from sdmerge.sinks.provenance import Origin, read_origin


@dataclass(frozen=True, slots=True)
class Verification:
    """What differs between a result and its recipe merged again."""

    tensors: int
    differing: tuple[str, ...]
    missing: tuple[str, ...]
    """Tensors of the merge that the file lacks; what no component takes may be left out."""
    surplus: tuple[str, ...]
    """Tensors of the file that the merge does not make."""
    changed_inputs: tuple[str, ...]

    @property
    def same(self) -> bool:
        """Whether every tensor is, bit for bit, what the recipe gives."""
        return not (self.differing or self.missing or self.surplus)


def verify(
    path: Path,
    *,
    roots: Sequence[Path] = (),
    allow_pickle: bool = False,
    progress: Callable[[Progress], None] | None = None,
    cancel: threading.Event | None = None,
    probe: OpenProbe | None = None,
) -> Verification:
    """The comparison for the result at `path`; an InputError if it holds no recipe."""
    origin = read_origin(path)
    # what was left out of a LoRA then is left out again; nothing was if it was not allowed
    again = plan(
        origin.recipe, roots=roots, allow_pickle=allow_pickle, known=origin.known, partial=True
    )
    if again.recipe.output.layout == "lora":
        return _verify_lora(path, again, origin, progress, cancel=cancel, probe=probe)
    stored = open_model(path)
    if not isinstance(stored, MappedSource):
        raise InputError("is not a checkpoint", where=str(path))
    specs = {task.key: task.spec for task in again.tasks}
    shared = [key for key in specs if key in stored.specs]
    return Verification(
        tensors=len(shared),
        differing=_differing(again, stored, shared, progress, cancel=cancel, probe=probe),
        missing=tuple(
            key for key in specs if key not in stored.specs and not key.startswith(EXTRA)
        ),
        surplus=tuple(key for key in stored.specs if key not in specs),
        changed_inputs=_changed(again, origin),
    )


def _differing(
    again: Plan,
    stored: MappedSource,
    shared: Sequence[str],
    progress: Callable[[Progress], None] | None,
    *,
    cancel: threading.Event | None,
    probe: OpenProbe | None,
) -> tuple[str, ...]:
    differing: list[str] = []
    total = sum(task.spec.nbytes for task in again.tasks)
    done = 0
    again_merged = stream(again, order=shared, cancel=cancel, probe=probe, fitting=progress)
    for count, (task, tensor) in enumerate(again_merged, 1):
        held = stored.specs[task.key]
        if held != task.spec or not torch.equal(
            stored.read(task.key).view(torch.uint8), tensor.view(torch.uint8)
        ):
            differing.append(task.key)
        done += task.spec.nbytes
        if progress is not None:
            progress(Progress(count, len(shared), done, total, task.key))
    return tuple(differing)


def _verify_lora(
    path: Path,
    again: Plan,
    origin: Origin,
    progress: Callable[[Progress], None] | None,
    *,
    cancel: threading.Event | None,
    probe: OpenProbe | None,
) -> Verification:
    """The comparison of a LoRA, tensor by tensor of its own names."""
    sink = LoraSink(None)
    run(again, sink, progress=progress, cancel=cancel, probe=probe)
    encoded = sink.encoded()
    made, stored = encoded.tensors, stored_tensors(path, encoded)
    shared = [name for name in made if name in stored]
    return Verification(
        tensors=len(shared),
        differing=tuple(name for name in shared if not _same(made[name], stored[name])),
        missing=tuple(name for name in made if name not in stored),
        surplus=tuple(name for name in stored if name not in made),
        changed_inputs=_changed(again, origin),
    )


def _same(one: torch.Tensor, other: torch.Tensor) -> bool:
    """Whether two tensors are equal in every bit."""
    alike = one.dtype == other.dtype and one.shape == other.shape
    return alike and torch.equal(
        one.reshape(-1).view(torch.uint8), other.reshape(-1).view(torch.uint8)
    )


def _changed(again: Plan, origin: Origin) -> tuple[str, ...]:
    """The input files whose hash is not the one recorded."""
    recorded: dict[str, set[str]] = {}
    for one in origin.inputs:  # stages may give one name to several
        recorded.setdefault(one["name"], set()).update(one["sha256"].values())
    return tuple(
        f"{one.name} ({file.name})"
        for one in again.inputs
        for file in one.files
        if again.hashes[file] not in recorded.get(one.name, set())
    )
