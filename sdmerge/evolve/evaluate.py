"""Evaluating: a recipe merged into a pipeline in memory, its pictures drawn and scored."""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from sdmerge.errors import InputError, nearest
from sdmerge.evolve.exam import Evaluation, Exam, Keep
from sdmerge.live import LiveMerge
from sdmerge.params import Scalar
from sdmerge.plan import plan
from sdmerge.recipe import Recipe
from sdmerge.sample.draw import Drawer
from sdmerge.sample.inversion import load_inversion
from sdmerge.sample.probe import pipelines
from sdmerge.sample.scored import drawn
from sdmerge.sample.settings import read_sampling
from sdmerge.scorers import SCORERS
from sdmerge.scoring.choice import Choice
from sdmerge.scoring.loader import Loader
from sdmerge.scoring.panel import Panel, Scored, Shown, open_panel


@dataclass(frozen=True, slots=True)
class EvaluatorSpec:
    """What an evaluator is opened from; it travels to other processes.

    scorers: Fitness and report, every column that may be asked.
    batch: Pictures drawn at once. Another number changes pictures by rounding.
    memory: Bytes of the models that stay in RAM; None: half of what is free.
    """

    scorers: tuple[Choice, ...]
    roots: tuple[Path, ...] = ()
    cache: Path | None = None
    embeddings: tuple[Path, ...] = ()
    device: str = "cpu"
    batch: int = 8
    memory: int | None = None
    allow_pickle: bool = False
    trust_remote_code: bool = False

    def open(self) -> LiveEvaluator:
        """The evaluator, scorers loaded; to be closed."""
        return LiveEvaluator(self)


class LiveEvaluator:
    """Evaluates one recipe after the other; only tensors that differ are merged again."""

    def __init__(self, spec: EvaluatorSpec) -> None:
        self._spec = spec
        loader = Loader(
            spec.device,
            spec.roots,
            trust_remote_code=spec.trust_remote_code,
            allow_pickle=spec.allow_pickle,
        )
        self._panel = open_panel(spec.scorers, SCORERS, loader)
        self._live = LiveMerge(device=spec.device, memory=spec.memory, probe=pipelines)
        allow = spec.allow_pickle
        inversions = [load_inversion(path, allow_pickle=allow) for path in spec.embeddings]
        self._drawer = Drawer(self._live, inversions=inversions)

    def __call__(
        self,
        recipe: Recipe,
        exam: Exam,
        sampling: Mapping[str, Scalar],
        *,
        columns: Sequence[str] | None = None,
        keep: Keep | None = None,
        cancel: threading.Event | None = None,
    ) -> Evaluation:
        """What `recipe` is worth; `columns` are the scorers to ask, by default all."""
        start = time.perf_counter()
        spec = self._spec
        planned = plan(
            recipe, roots=spec.roots, allow_pickle=spec.allow_pickle, cache=spec.cache,
            opened=self._live.opened,
        )  # fmt: skip
        self._live.show(planned, cancel=cancel)
        merged = time.perf_counter()
        shown = drawn(
            self._drawer, exam.lines, exam.seeds, read_sampling(sampling), spec.batch,
            cancel=cancel,
        )  # fmt: skip
        panel = _asked(self._panel, columns)
        # closed at once when it is cancelled, or a thread would go on scoring
        with contextlib.closing(panel.score(_kept(shown, exam, keep), batch=spec.batch)) as scored:
            rows = list(scored)
        end = time.perf_counter()
        return Evaluation(
            {name: _table(rows, name, exam) for name in panel.names},
            tuple(row.flag for row in rows if row.flag),
            {"merge": merged - start, "draw": end - merged, "total": end - start},
        )

    def close(self) -> None:
        """Let go of the models' tensors and of what was found of them."""
        self._live.close()


def _asked(panel: Panel, columns: Sequence[str] | None) -> Panel:
    """The judges of these columns; they keep what they have encoded."""
    if columns is None:
        return panel
    if strange := [column for column in columns if column not in panel.names]:
        hint = f"{nearest(strange[0], panel.names)} There are: {', '.join(panel.names)}.".strip()
        raise InputError(f"there is no column '{strange[0]}'", hint=hint)
    return Panel(tuple(judge for judge in panel.judges if judge.name in columns))


def _kept(shown: Iterator[Shown], exam: Exam, keep: Keep | None) -> Iterator[Shown]:
    """`shown`, and every picture handed to `keep` as it passes."""
    places = ((place, at) for place, own in enumerate(exam.seeds) for at in range(len(own)))
    for (place, at), one in zip(places, shown, strict=True):
        if keep is not None:
            keep(place, at, one.picture)
        yield one


def _table(rows: Sequence[Scored], column: str, exam: Exam) -> tuple[tuple[float, ...], ...]:
    found = iter(row.scores[column] for row in rows)
    return tuple(tuple(next(found) for _ in own) for own in exam.seeds)
