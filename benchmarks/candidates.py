"""Candidates per minute of a search, against the loop that people write.

`python -m benchmarks.candidates --folder DIR` searches weights of task arithmetic as `sdmerge
evolve` does, with its study on the disk, on the sample models and on random SD1 checkpoints of full
size. Then every candidate is evaluated again by the naive loop: merge into a folder, load it with
from_pretrained, draw the same prompts from the same noise in batches of the same size, score. The
merging itself is sdmerge's in both. Of both it is also measured how long a candidate keeps neither
UNet nor VAE nor scorer busy. `--record` writes candidates.json and the README's table; `--quick`
takes a tiny random model and few pictures.
"""

from __future__ import annotations

import json
import math
import shutil
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch

from benchmarks.forward import Forward
from benchmarks.random_files import make_models, sd1_specs
from benchmarks.report import HERE, benchmark, keep, put, table
from sdmerge.adapters.opened import OpenedModels
from sdmerge.evolve.engines import ENGINES
from sdmerge.evolve.evaluate import EvaluatorSpec, LiveEvaluator
from sdmerge.evolve.exam import Exam
from sdmerge.evolve.ledger import Journal, Ledger, claimed, create
from sdmerge.evolve.run import Progress, Search
from sdmerge.evolve.run.exams import search_exam
from sdmerge.evolve.run.study import Study, study_of
from sdmerge.evolve.workers import Local
from sdmerge.merge import run
from sdmerge.plan import plan
from sdmerge.recipe import Recipe, recipe_from_data
from sdmerge.scorers import SCORERS
from sdmerge.scoring.panel import Panel, Shown
from sdmerge.sinks import FolderSink

SAMPLES = HERE.parent / "samples"
BATCH = 16


@dataclass(frozen=True)
class Case:
    """The base and what is added to it, how many prompts a candidate draws, and how."""

    name: str
    models: Sequence[str]
    prompts: int
    sampling: Mapping[str, Any]
    trials: int

    def recipe(self, folder: Path) -> Recipe:
        """Task arithmetic with a weight per model to be found; its prompts go into `folder`."""
        base, *others = self.models
        lines = (SAMPLES / "prompts" / "search.jsonl").read_text("utf-8").splitlines()
        text = "\n".join(lines[: self.prompts])
        references = (SAMPLES / "references").as_posix()
        prompts = folder / "prompts.jsonl"
        prompts.write_text(text.replace("../references", references), "utf-8")
        weight = {"search": [-0.3, 1.5], "init": 0.5}
        return recipe_from_data(
            {
                "merge_method": "task_arithmetic",
                "base_model": base,
                "models": [{"model": one, "parameters": {"weight": weight}} for one in others],
                "evolve": {
                    "prompts": {"search": str(prompts)},
                    "fitness": [{"scorer": "clip", "model": str(SAMPLES / "scorers" / "clip_a")}],
                    "sampler": dict(self.sampling),
                    "engine": "cma-es",
                    "batch": BATCH,
                    "trials": self.trials,
                },
            },
            self.name,
        )


def main() -> None:
    """Print the figures as JSON, and write them where they are shown if asked to."""
    benchmark(__doc__, measure_all, record)


def measure_all(options: Any) -> dict[str, Any]:
    """The figures of every case."""
    found = {case.name: measure(case, options.folder) for case in cases(options)}
    return {"cases": found}


def cases(options: Any) -> Iterator[Case]:
    """The samples as the miniature searches them, and SD1 as people have it."""
    quick: bool = options.quick
    samples = [str(SAMPLES / "models" / name) for name in ("base", "japanese", "ukiyoe")]
    few = {"steps": 2, "guidance_scale": 1.0}
    prompts = 4 if quick else 24
    yield Case(f"samples, {prompts} pictures of 2 steps", samples, prompts, few, 2 if quick else 12)
    scale = "tiny" if quick else "full"
    random = make_models(options.folder / scale, sd1_specs(scale), 2)
    size = 64 if quick else 256
    sampling = {"steps": 4, "guidance_scale": 1.0, "width": size, "height": size}
    name = f"random SD1, {scale} size, 2 pictures of 4 steps, {size} × {size}"
    yield Case(name, [str(path) for path in random], 2, sampling, 2)


def measure(case: Case, folder: Path) -> dict[str, float]:
    """Both ways, per candidate."""
    work = folder / "candidates-benchmark"
    shutil.rmtree(work, ignore_errors=True)
    work.mkdir()
    # hashes of models are known before a search of any length, and the naive loop needs none
    cache, forward = folder / "sha256.json", Forward()
    opened = OpenedModels()
    recipe = case.recipe(work)
    study = study_of(recipe, ENGINES, SCORERS, lambda one: plan(one, cache=cache, opened=opened))
    watched = Watched(EvaluatorSpec(study.scorers, cache=cache, batch=BATCH), forward)
    with forward.drawing():
        ours = searched(study, watched, work / "study", forward)
        naive = Naive(watched.panel, forward, work / "model", cache).evaluate(study, ours.asked)
    watched.close()
    shutil.rmtree(work)
    found = {
        "naive candidates per minute": 60 / naive.seconds,
        "candidates per minute": 60 / ours.seconds,
        "naive seconds outside forward": naive.outside,
        "seconds outside forward": ours.outside,
        "share outside forward": ours.outside / ours.seconds,
        "naive to ours": naive.seconds / ours.seconds,
        "naive to ours outside forward": naive.outside / ours.outside,
        "largest difference of scores": max(
            abs(a - b) for a, b in zip(ours.scores, naive.scores, strict=True)
        ),
    }
    print(f"{case.name}: {json.dumps(found)}", file=sys.stderr, flush=True)  # noqa: T201
    return found


@dataclass
class Way:
    """A way to evaluate candidates: seconds of each, those without a network, and scores."""

    seconds: float
    outside: float
    scores: list[float]
    asked: list[tuple[Recipe, Exam]] = field(default_factory=list[tuple[Recipe, Exam]])


class Watched(LiveEvaluator):
    """An evaluator whose scorers are watched. It opens as itself, once."""

    def __init__(self, spec: EvaluatorSpec, forward: Forward) -> None:
        super().__init__(spec)
        self.panel = self._panel = forward.scoring(self._panel)

    def open(self) -> Watched:
        """Itself."""
        return self


def searched(study: Study, evaluator: Watched, folder: Path, forward: Forward) -> Way:
    """As `sdmerge evolve` does it; time counts from when the recipe's start is evaluated."""
    begin = math.nan

    def told(progress: Progress) -> None:
        nonlocal begin
        if progress.what == "baselines":
            forward.spans.clear()
            begin = time.perf_counter()

    with claimed(folder):
        create(folder, study.description(device="cpu"), resume=False)
        ledger = Ledger(folder)
        journal = Journal(folder, study.space.genes, [one.name for one in study.options.objectives])
        Search(
            ledger, study.space, study.engine, study.options, study.budget,
            executor=Local(evaluator), journal=journal, told=told,
        ).run()  # fmt: skip
    seconds = time.perf_counter() - begin
    rows = [row for key, row in ledger.rows.items() if key.role == "candidate"]
    assert all(row.evaluation for row in rows), "random models give pictures, too"
    asked = [
        (study.space.fill(row.candidate), search_exam(study.options, row.key.generation))
        for row in rows
        if row.candidate is not None
    ]
    scores = [row.evaluation.mean("clip") for row in rows if row.evaluation is not None]
    outside = seconds - forward.seconds()
    return Way(seconds / len(rows), outside / len(rows), scores, asked)


@dataclass
class Naive:
    """As a script does it: save, load, draw and score."""

    panel: Panel
    forward: Forward
    target: Path
    cache: Path

    def evaluate(self, study: Study, asked: Sequence[tuple[Recipe, Exam]]) -> Way:
        """Every candidate that a search asked."""
        seconds, scores = 0.0, list[float]()
        self.forward.spans.clear()
        for recipe, exam in asked:
            begin = time.perf_counter()
            pipeline = self._merged(recipe)
            shown = self._drawn(pipeline, exam, study.options.sampling)
            rows = [one.scores["clip"] for one in self.panel.score(shown)]
            seconds += time.perf_counter() - begin
            scores.append(math.fsum(rows) / len(rows))
            shutil.rmtree(self.target)
        outside = seconds - self.forward.seconds()
        return Way(seconds / len(asked), outside / len(asked), scores)

    def _merged(self, recipe: Recipe) -> Any:
        from diffusers import DiffusionPipeline

        run(plan(recipe, cache=self.cache), FolderSink(self.target))
        pipeline: Any = DiffusionPipeline.from_pretrained(self.target, dtype=torch.float32)
        pipeline.set_progress_bar_config(disable=True)
        return pipeline

    def _drawn(self, pipeline: Any, exam: Exam, sampling: Mapping[str, Any]) -> list[Shown]:
        options = {("num_inference_steps" if k == "steps" else k): v for k, v in sampling.items()}
        images: list[Any] = []
        for start in range(0, len(exam.lines), BATCH):
            seeds = [own[0] for own in exam.seeds[start : start + BATCH]]
            images += pipeline(
                [line.prompt for line in exam.lines[start : start + BATCH]],
                generator=[torch.Generator().manual_seed(seed) for seed in seeds],
                **options,
            ).images
        return [Shown(image, exam.lines[at], at) for at, image in enumerate(images)]


def record(figures: Mapping[str, Any]) -> None:
    """Write candidates.json and the table."""
    keep("candidates", figures)
    columns = list(next(iter(figures["cases"].values())))
    rows = [[column, *(f"{case[column]:.3g}" for case in figures["cases"].values())]
            for column in columns]  # fmt: skip
    text = table(["", *figures["cases"]], rows)
    put("candidates", f"{text}\n\n{figures['cores']} cores. {figures['note']}".strip())


if __name__ == "__main__":
    main()
