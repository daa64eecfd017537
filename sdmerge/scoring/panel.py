"""Panel: several scorers on the same pictures, while the next ones are drawn."""

from __future__ import annotations

from collections import deque
from collections.abc import Generator, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

import torch
from PIL import Image, UnidentifiedImageError
from torch import Tensor

from sdmerge.errors import FileError
from sdmerge.scoring.batch import Batch, as_levels, batch_of
from sdmerge.scoring.choice import Choice, named
from sdmerge.scoring.loader import Loader
from sdmerge.scoring.prompts import Line
from sdmerge.scoring.scorer import Judge, Scorers
from sdmerge.scoring.towers import too_little

BATCH = 16


@dataclass(frozen=True, slots=True)
class Shown:
    """A picture to score: where it belongs, and what it should show."""

    picture: Tensor | Image.Image
    line: Line
    prompt: int
    """The prompt's place; pictures of one prompt are scored as a set by scorers of sets."""
    seed: int = 0


@dataclass(frozen=True, slots=True)
class Scored:
    """A picture's scores by column."""

    line: Line
    prompt: int
    seed: int
    scores: Mapping[str, float]
    flag: str
    """What is wrong with the picture: nan, black, flat, or nothing."""


@dataclass(frozen=True)
class Panel:
    """Judges at work. Models stay loaded, captions and references are encoded once."""

    judges: tuple[Judge, ...]
    _references: dict[Path, Tensor] = field(default_factory=dict[Path, Tensor], repr=False)

    @property
    def names(self) -> tuple[str, ...]:
        """The columns."""
        return tuple(judge.name for judge in self.judges)

    def score(self, shown: Iterable[Shown], *, batch: int = BATCH) -> Generator[Scored]:
        """The scores of every picture, in order, each as soon as its batch and its prompt are done.

        Pictures are taken from `shown` in this thread and scored in another, one batch behind, so
        that a generator which draws is never kept waiting for the scorers.
        """
        pictures = [judge for judge in self.judges if judge.spec.of == "picture"]
        sets = [judge for judge in self.judges if judge.spec.of == "set"]
        waiting: deque[tuple[list[Shown], Future[list[Scored]]]] = deque()
        with ThreadPoolExecutor(1, thread_name_prefix="scorers") as pool:
            for group in groups(shown, batch, whole_prompts=bool(sets)):
                waiting.append((group, pool.submit(self._scores, group, pictures, sets)))
                while len(waiting) > 1:
                    yield from waiting.popleft()[1].result()
            while waiting:
                yield from waiting.popleft()[1].result()

    def raw(self, judge: Judge, shown: Iterable[Shown]) -> list[float]:
        """What a judge of pictures itself says of each, degenerate or not."""
        parts = groups(shown, BATCH, whole_prompts=False)
        return [score for group in parts for score in _floats(judge.raw(self.batch(group)))]

    def batch(self, group: Sequence[Shown]) -> Batch:
        """The pictures of a group, which are of one size, with their texts and references."""
        references = [one.line.reference for one in group]
        return batch_of(
            [one.picture for one in group],
            prompts=[one.line.prompt for one in group],
            captions=[one.line.caption for one in group],
            references=[self._reference(path) for path in references if path is not None]
            if all(references)
            else [],
        )

    def _scores(self, group: list[Shown], pictures: list[Judge], sets: list[Judge]) -> list[Scored]:
        try:
            return self._answers(group, pictures, sets)
        except torch.OutOfMemoryError as error:
            raise too_little(", ".join(self.names)) from error

    def _answers(
        self, group: list[Shown], pictures: list[Judge], sets: list[Judge]
    ) -> list[Scored]:
        batch = self.batch(group)
        columns = {judge.name: _floats(judge(batch)) for judge in pictures}
        for judge in sets:
            columns[judge.name] = [0.0] * len(group)
            for prompt in dict.fromkeys(one.prompt for one in group):
                places = [at for at, one in enumerate(group) if one.prompt == prompt]
                found = _floats(judge(self.batch([group[at] for at in places])))
                for at, score in zip(places, found, strict=True):
                    columns[judge.name][at] = score
        return [
            Scored(
                one.line, one.prompt, one.seed,
                {name: columns[name][at] for name in self.names}, batch.flags[at],
            )
            for at, one in enumerate(group)
        ]  # fmt: skip

    def _reference(self, path: Path) -> Tensor:
        if path not in self._references:
            self._references[path] = as_levels(open_picture(path))[0]
        return self._references[path]


def open_panel(choices: Iterable[Choice], scorers: Scorers, loader: Loader) -> Panel:
    """The panel of these choices among `scorers` (sdmerge.scorers.SCORERS), models loaded."""
    return Panel(tuple(scorers[choice.scorer].open(loader, choice) for choice in named(choices)))


def open_picture(path: Path) -> Image.Image:
    """The picture in a file, as RGB."""
    try:
        with Image.open(path) as image:
            return image.convert("RGB")
    except (OSError, UnidentifiedImageError) as error:
        raise FileError(f"is no picture that can be read: {error}", where=str(path)) from error


def groups(shown: Iterable[Shown], batch: int, *, whole_prompts: bool) -> Iterator[list[Shown]]:
    """Pictures of one size, `batch` at a time; if `whole_prompts`, no prompt is cut in two."""
    group: list[Shown] = []
    for one in shown:
        cut = not whole_prompts or (group and one.prompt != group[-1].prompt)
        if group and (_size(one) != _size(group[0]) or (cut and len(group) >= batch)):
            yield group
            group = []
        group.append(one)
    if group:
        yield group


def _floats(scores: Tensor) -> list[float]:
    return [float(score) for score in scores]


def _size(shown: Shown) -> tuple[int, int]:
    if isinstance(shown.picture, Tensor):
        return shown.picture.shape[-2], shown.picture.shape[-1]
    return shown.picture.height, shown.picture.width
