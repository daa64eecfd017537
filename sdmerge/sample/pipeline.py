"""A diffusers pipeline straight from a plan: what it draws is what would be saved."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

import torch

from sdmerge.fitting import OpenProbe
from sdmerge.live.pipeline import drawing_dtype, empty_pipeline, move, refuse_incomplete
from sdmerge.merge import Progress, run
from sdmerge.plan import Plan
from sdmerge.sinks import LiveSink
from sdmerge.sinks.pipeline import component_names, side_files


def build_pipeline(
    plan: Plan,
    *,
    device: str = "cpu",
    dtype: torch.dtype | None = None,
    progress: Callable[[Progress], None] | None = None,
    cancel: threading.Event | None = None,
    probe: OpenProbe | None = None,
) -> Any:
    """The pipeline that `plan` gives. Weights are rounded to the dtype the plan stores, then drawn
    with in `dtype` (by default float32 on a CPU, float16 elsewhere).
    """
    refuse_incomplete(plan)
    pipeline = empty_pipeline(plan, side_files(plan), dtype or drawing_dtype(device))
    sink = LiveSink({name: getattr(pipeline, name) for name in component_names(plan)})
    run(plan, sink, progress=progress, cancel=cancel, probe=probe)
    move(pipeline, device)
    return pipeline
