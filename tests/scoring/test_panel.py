"""Panels: several scorers on one stream of pictures; and the ladder that checks them."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from PIL import Image
from torch import Tensor

from sdmerge.errors import FileError, ScorerError
from sdmerge.scoring.batch import Batch, as_levels
from sdmerge.scoring.choice import Choice
from sdmerge.scoring.loader import Loader
from sdmerge.scoring.panel import Panel, Shown, groups, open_panel, open_picture
from sdmerge.scoring.prompts import Line
from sdmerge.scoring.sanity import LADDER, sanity
from sdmerge.scoring.scorer import Scorers, scorer
from sdmerge.scoring.statistics import Difference

MINE = Scorers()
SEEN: list[int] = []


@scorer(registry=MINE)
def brightness(batch: Batch) -> Tensor:
    """How bright a picture is."""
    SEEN.append(len(batch))
    return batch.pictures.mean((1, 2, 3))


@scorer(of="set", registry=MINE)
def spread(batch: Batch) -> Tensor:
    """How different the brightnesses of a prompt's pictures are, the same number for each."""
    return batch.pictures.mean((1, 2, 3)).std(correction=0).repeat(len(batch))


@scorer(needs=("reference",), registry=MINE, range=(-1.0, 0.0))
def nearness(batch: Batch) -> Tensor:
    """How near a picture is to its reference, edges and all."""
    wanted = torch.stack(batch.references).float() / 255
    return -(batch.pictures - wanted).abs().mean((1, 2, 3))


@scorer(registry=MINE, higher_is_better=False)
def smoothness(batch: Batch) -> Tensor:
    """How little neighbours differ: it likes blur, as some scorers do."""
    return batch.pictures.diff(dim=3).abs().mean((1, 2, 3))


def panel(*names: str) -> Panel:
    return open_panel([Choice(name) for name in names], MINE, Loader())


def picture(seed: int, side: int = 16) -> Tensor:
    dice = torch.Generator().manual_seed(seed)
    return torch.rand(3, side, side, generator=dice) * torch.rand(1, generator=dice)


def shown(prompts: int, seeds: int, side: int = 16) -> list[Shown]:
    return [
        Shown(picture(10 * p + s, side), Line(f"p{p}", f"c{p}"), p, s)
        for p in range(prompts)
        for s in range(seeds)
    ]


def test_scores_come_in_order_whatever_the_batch() -> None:
    every = [*shown(3, 3), *shown(2, 1, side=24)]
    wanted = [float(as_levels(one.picture)[0].double().mean() / 255) for one in every]
    for batch in (1, 4, 100):
        rows = list(panel("brightness").score(every, batch=batch))
        assert [row.line for row in rows] == [one.line for one in every]
        assert [row.seed for row in rows] == [one.seed for one in every]
        assert [row.scores["brightness"] for row in rows] == pytest.approx(wanted, abs=1e-6)


def test_groups_are_of_one_size_and_sets_are_never_cut() -> None:
    every = [*shown(3, 3), *shown(1, 2, side=24)]
    assert [len(group) for group in groups(every, 4, whole_prompts=False)] == [4, 4, 1, 2]
    assert [len(group) for group in groups(every, 4, whole_prompts=True)] == [6, 3, 2]


def test_a_set_is_the_pictures_of_one_prompt() -> None:
    every = shown(3, 4)
    rows = list(panel("brightness", "spread").score(every, batch=2))
    for prompt in range(3):
        own = [row for row in rows if row.prompt == prompt]
        bright = torch.tensor([row.scores["brightness"] for row in own])
        assert {round(row.scores["spread"], 6) for row in own} == {
            round(float(bright.std(correction=0)), 6)
        }


def test_the_next_batch_is_drawn_while_this_one_is_scored() -> None:
    """Scoring of the first batch waits until the second has been drawn: else this would hang."""
    second_drawn = threading.Event()
    registry = Scorers()

    @scorer(registry=registry)
    def waits(batch: Batch) -> Tensor:
        """Waits for the next batch."""
        assert second_drawn.wait(60)
        return torch.zeros(len(batch))

    def drawing() -> Iterator[Shown]:
        for number, one in enumerate(shown(4, 1)):
            if number == 3:
                second_drawn.set()
            yield one

    rows = open_panel([Choice("waits")], registry, Loader()).score(drawing(), batch=2)
    assert len(list(rows)) == 4


def test_errors_of_scorers_and_of_drawing_come_through() -> None:
    with pytest.raises(ScorerError, match="references"):
        list(panel("nearness").score(shown(2, 1)))

    def stops() -> Iterator[Shown]:
        yield from shown(1, 1)
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        list(panel("brightness").score(stops()))


def test_flags_are_kept() -> None:
    flat = Shown(torch.full((3, 16, 16), 0.9), Line("", ""), 5)
    rows = list(panel("brightness").score([*shown(1, 1), flat]))
    assert [row.flag for row in rows] == ["", "flat"]
    assert rows[1].scores["brightness"] == 0.0


def test_files_that_are_no_pictures(tmp_path: Path) -> None:
    (tmp_path / "half.png").write_bytes(b"\x89PNG\r\n\x1a\nhalf")
    with pytest.raises(FileError, match="no picture that can be read"):
        open_picture(tmp_path / "half.png")


def parents(folder: Path, prompts: int = 12) -> list[Shown]:
    """Pictures near to their references: half black, half white, with a little noise."""
    found: list[Shown] = []
    for one in shown(prompts, 1, side=32):
        edges = torch.zeros(3, 32, 32)
        edges[:, :, 16 + one.prompt % 5 :] = 1.0
        path = folder / f"{one.prompt}.png"
        Image.fromarray((edges * 255).byte().permute(1, 2, 0).numpy()).save(path)
        noise = 0.05 * torch.rand(3, 32, 32, generator=torch.Generator().manual_seed(one.prompt))
        line = replace(one.line, reference=path)
        found.append(Shown((edges + noise).clamp(0, 1), line, one.prompt))
    return found


def test_the_ladder(tmp_path: Path) -> None:
    near, smooth, bright = sanity(panel("nearness", "smoothness", "brightness"), parents(tmp_path))
    assert tuple(near.means) == LADDER
    assert (near.name, near.means["real"].mean) == ("nearness", 0.0)
    # a grey picture and a random one are equally far from black and white
    assert [step.holds for step in near.steps] == [True, True, True, False]
    assert not bright.passed
    assert not smooth.passed
    by_rung = {step.worse: step for step in smooth.steps}
    assert by_rung["blurred"].gap.high < 0, "it likes the blurred picture better"
    assert by_rung["noise"].holds, "less is better: the sign is turned"


def test_a_scorer_passes_if_every_step_holds(tmp_path: Path) -> None:
    (near,) = sanity(panel("nearness"), parents(tmp_path))
    step = near.steps[0]
    sure = replace(step, gap=Difference(1.0, 0.1, 0.8, 1.2, 12, 12, p=0.01))
    unsure = replace(step, gap=Difference(1.0, 0.9, -0.8, 2.8, 12, 12, p=0.3))
    assert replace(near, steps=(sure, sure)).passed
    assert not replace(near, steps=(sure, unsure)).passed


def test_the_ladder_needs_real_pictures_and_leaves_sets_out(tmp_path: Path) -> None:
    assert sanity(panel("spread"), parents(tmp_path, 2)) == []
    with pytest.raises(ScorerError, match="real pictures"):
        sanity(panel("brightness"), shown(2, 1))
    with pytest.raises(ScorerError, match="no pictures"):
        sanity(panel("brightness"), [])
