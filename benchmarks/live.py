"""From a changed value to the new picture: LiveMerge against save, load and draw.

`python -m benchmarks.live --folder DIR` merges the sample models and two random SD1 checkpoints of
full size, changing one value again and again. Each round does both ways, one after the other, with
the same value. `--record` writes live.json and the README's table; `--quick` takes few rounds and a
small random model.
"""

from __future__ import annotations

import json
import shutil
import statistics
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from benchmarks.random_files import make_models, sd1_specs
from benchmarks.report import HERE, benchmark, keep, put, table
from sdmerge.live import LiveMerge
from sdmerge.merge import run
from sdmerge.plan import Plan, plan
from sdmerge.recipe import recipe_from_data
from sdmerge.sample.draw import Drawer, Shot
from sdmerge.sample.settings import Sampling
from sdmerge.sinks import FolderSink

SAMPLES = HERE.parent / "samples" / "models"
PROMPT = "a red cross on a black background"


@dataclass(frozen=True)
class Case:
    """Models to merge, and the picture to look at after every change."""

    name: str
    models: Sequence[str]
    rounds: int
    sampling: Sampling


def main() -> None:
    """Print the figures as JSON, and write them where they are shown if asked to."""
    benchmark(__doc__, measure_all, record)


def measure_all(options: Any) -> dict[str, Any]:
    """The figures of every case."""
    wanted = cases(options.folder, quick=options.quick)
    return {"cases": {case.name: measure(case, options.folder) for case in wanted}}


def cases(folder: Path, *, quick: bool) -> list[Case]:
    """The samples, whose pictures take tenths of a second, and SD1 as people have it."""
    scale = "tiny" if quick else "full"
    random = make_models(folder / scale, sd1_specs(scale), 2)
    samples = [str(SAMPLES / name) for name in ("japanese", "ukiyoe")]
    return [
        Case("samples, 8 steps", samples, 2 if quick else 9, Sampling(8, 3.0)),
        Case(
            f"random SD1, {scale} size, 1 step",
            [str(path) for path in random],
            2 if quick else 3,
            Sampling(1, 1.0, width=256, height=256),
        ),
    ]


def measure(case: Case, folder: Path) -> dict[str, float]:
    """Medians over rounds: seconds of both ways, of their parts, and ratios within rounds."""
    with LiveMerge() as live:
        rounds = list(_rounds(case, folder, live))
    return {name: statistics.median(one[name] for one in rounds) for name in sorted(rounds[0])}


def _rounds(case: Case, folder: Path, live: LiveMerge) -> Iterator[dict[str, float]]:
    drawer = Drawer(live)
    live.show(planned(case, 0.01, live))
    next(drawer.draw([Shot(PROMPT, 1, case.sampling)]))
    for number in range(case.rounds):
        t = 0.1 + 0.8 * number / case.rounds
        ways: list[Callable[[], dict[str, float]]] = [
            lambda t=t: shown(case, t, live, drawer),
            lambda t=t: loaded(case, t, folder / "naive"),
        ]
        one: dict[str, float] = {}
        for way in ways if number % 2 else reversed(ways):
            one |= way()
        one["naive to live"] = one["naive"] / one["live"]
        one["share of merging"] = (one["plan"] + one["merge"]) / one["live"]
        print(f"{case.name}: {json.dumps(one)}", file=sys.stderr, flush=True)  # noqa: T201
        yield one


def planned(case: Case, t: float, live: LiveMerge | None = None) -> Plan:
    """The merge at `t`, of the UNet and the text encoder."""
    models = [{"model": path} for path in case.models]
    data = {"merge_method": "slerp", "models": models, "parameters": {"t": t}}
    return plan(recipe_from_data(data), opened=live.opened if live else None)


def shown(case: Case, t: float, live: LiveMerge, drawer: Drawer) -> dict[str, float]:
    """LiveMerge: plan, write what changed, draw."""
    begin = time.perf_counter()
    made = planned(case, t, live)
    at_plan = time.perf_counter()
    live.show(made)
    at_merge = time.perf_counter()
    next(drawer.draw([Shot(PROMPT, 1, case.sampling)]))
    end = time.perf_counter()
    return {"live": end - begin, "plan": at_plan - begin, "merge": at_merge - at_plan}


def loaded(case: Case, t: float, target: Path) -> dict[str, float]:
    """The usual way: merge into a folder, load it, draw."""
    from diffusers import DiffusionPipeline

    shutil.rmtree(target, ignore_errors=True)
    begin = time.perf_counter()
    run(planned(case, t), FolderSink(target))
    pipeline: Any = DiffusionPipeline.from_pretrained(target, dtype=torch.float32)
    pipeline.set_progress_bar_config(disable=True)
    next(Drawer(pipeline).draw([Shot(PROMPT, 1, case.sampling)]))
    end = time.perf_counter()
    shutil.rmtree(target)
    return {"naive": end - begin}


def record(figures: Mapping[str, Any]) -> None:
    """Write live.json and the table."""
    keep("live", figures)
    columns = ["naive", "live", "plan", "merge", "naive to live", "share of merging"]
    rows = [
        [name, *(f"{row[column]:.3g}" for column in columns)]
        for name, row in figures["cases"].items()
    ]
    text = table(["", *columns], rows)
    put("live", f"{text}\n\n{figures['cores']} cores. {figures['note']}".strip())


if __name__ == "__main__":
    main()
