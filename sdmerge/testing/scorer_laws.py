"""check_scorer: what every scorer must hold to, whoever wrote it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from PIL.Image import Image
from torch import Generator, Tensor

from sdmerge.errors import ScorerError
from sdmerge.scorers import SCORERS
from sdmerge.scoring.batch import Batch, batch_of, to_image
from sdmerge.scoring.choice import parse_choice
from sdmerge.scoring.loader import Loader
from sdmerge.scoring.scorer import Judge, Scorers
from sdmerge.scoring.spec import dump, spec_from
from sdmerge.testing.laws import Law, hold

CAPTIONS = ("a red circle on a blue background", "青い背景に赤い丸", "", "a cross", "a moon", "x")
_TOLERANCE = 1e-5
_SIDES = (64, 96)


@dataclass(frozen=True, slots=True)
class Trial:
    """A judge, and pictures with all that it may need."""

    judge: Judge
    captions: tuple[str, ...]

    def batch(
        self, places: Sequence[int] = (), pictures: Sequence[Tensor | Image] = (), side: int = 64
    ) -> Batch:
        """The pictures of these places (by default all), or others, with their texts."""
        chosen = list(places) or list(range(len(self.captions)))
        return batch_of(
            pictures or [picture(place, side) for place in chosen],
            prompts=[f"{place} {self.captions[place]}" for place in chosen],
            captions=[self.captions[place] for place in chosen],
            references=[picture(100 + place, 80) for place in chosen],
        )

    def score(self, places: Sequence[int] = (), pictures: Sequence[Tensor | Image] = ()) -> Tensor:
        """The scores of the pictures of these places, or of others."""
        return self.judge(self.batch(places, pictures))

    @property
    def places(self) -> list[int]:
        """Every picture's place."""
        return list(range(len(self.captions)))


def check_scorer(
    choice: str,
    *,
    captions: Sequence[str] = (),
    loader: Loader | None = None,
    scorers: Scorers = SCORERS,
) -> None:
    """Hold a scorer to the laws; an AssertionError says which one it breaks.

    `choice` is as after --with: clip,model=FOLDER. Four captions or more may be given for scorers
    that do not read just anything.
    """
    chosen = parse_choice(choice)
    judge = scorers[chosen.scorer].open(loader or Loader(), chosen)
    said = tuple(captions) or tuple(caption or "a star" for caption in CAPTIONS)
    trial = Trial(judge, said)
    hold(judge.name, LAWS, lambda: trial)


def it_says_what_it_is(trial: Trial) -> None:
    """A title, a summary, a text per parameter, a range whose ends are in order."""
    spec = trial.judge.spec
    assert spec.title, "it has no title"
    assert spec.summary, "it has no docstring"
    assert not spec.paper or spec.paper.startswith("https://"), "its paper is no address"
    low, high = spec.range
    assert low < high, "its range is empty"
    assert (spec.worst <= low) if spec.higher_is_better else (spec.worst >= high), "worst is not"
    assert spec_from(dump([spec])) == (spec,), "it cannot be written to a manifest"


def it_gives_a_finite_number_per_picture(trial: Trial) -> None:
    """Of ordinary pictures of any size, and of none that anything is wrong with."""
    for side in _SIDES:
        scores = trial.judge(trial.batch(side=side))
        assert scores.shape == (len(trial.captions),), f"{list(scores.shape)}"
        assert torch.isfinite(scores).all(), f"{scores}"


def the_batch_leaves_no_trace(trial: Trial) -> None:
    """The same scores one by one, in twos, and all at once."""
    if trial.judge.spec.of == "set":
        return
    wanted = trial.score()
    for size in (1, 2):
        parts = [trial.places[at : at + size] for at in range(0, len(trial.captions), size)]
        _check_near(torch.cat([trial.score(part) for part in parts]), wanted, f"batches of {size}")


def the_order_leaves_no_trace(trial: Trial) -> None:
    """The same scores in another order."""
    wanted = trial.score()
    turned = trial.places[::-1]
    _check_near(trial.score(turned), wanted[turned], "another order")


def it_is_no_game_of_dice(trial: Trial) -> None:
    """The same bytes again."""
    wanted = trial.score()
    assert torch.equal(trial.score(), wanted), "the same pictures score otherwise"


def the_kind_of_picture_leaves_no_trace(trial: Trial) -> None:
    """PIL, bytes, floats and halves of one picture, wherever they lie, score the same."""
    levels = [picture(place) for place in trial.places]
    wanted = trial.score(pictures=levels)
    kinds: dict[str, Sequence[Tensor | Image]] = {
        "PIL": [to_image(one) for one in levels],
        "float32": [one.float() / 255 for one in levels],
        "float16": [(one.double() / 255).half() for one in levels],
        "strided": [one.flip(2).flip(2).permute(1, 2, 0).contiguous().permute(2, 0, 1)
                    for one in levels],
    }  # fmt: skip
    if torch.cuda.is_available():
        kinds["cuda"] = [(one.float() / 255).cuda() for one in levels]
    for kind, pictures in kinds.items():
        assert torch.equal(trial.score(pictures=pictures), wanted), f"{kind} scores otherwise"


def degenerate_pictures_are_worst(trial: Trial) -> None:
    """NaN, black and flat pictures are flagged and get the worst score; no picture gets less."""
    spec, places = trial.judge.spec, trial.places[:4]
    broken = torch.rand(3, 64, 64)
    broken[0, 0, 0] = torch.nan
    flat = torch.full((3, 64, 64), 0.5)
    pictures = [broken, torch.zeros(3, 64, 64), flat, picture(0)]
    batch = trial.batch(places, pictures)
    assert batch.flags[:3] == ("nan", "black", "flat"), f"{batch.flags}"
    scores = trial.judge(batch)
    assert (scores[:3] == spec.worst).all(), f"{scores[:3]} is not {spec.worst}"
    better = scores >= spec.worst if spec.higher_is_better else scores <= spec.worst
    assert better.all(), f"{scores} goes below {spec.worst}"


def it_says_what_it_lacks(trial: Trial) -> None:
    """Without the captions or references that it declares to need there is an error in words."""
    needs = trial.judge.spec.needs
    full = trial.batch()
    bare = batch_of(list(full.levels), captions=full.captions, references=full.references)
    lacking: list[Batch] = []
    if "caption" in needs:
        lacking.append(batch_of(list(full.levels), references=full.references))
    if {"reference", "source"} & {*needs}:
        lacking.append(batch_of(list(full.levels), captions=full.captions))
    hints = [_hint(trial.judge, batch) for batch in lacking]
    assert all(hints), "it scores without what it declares to need, or does not say what to do"
    if needs:
        return
    everything = trial.judge(full)
    _check_near(trial.judge(bare), everything, "no prompts")


LAWS: Sequence[Law[Trial]] = (
    it_says_what_it_is,
    it_gives_a_finite_number_per_picture,
    it_is_no_game_of_dice,
    the_batch_leaves_no_trace,
    the_order_leaves_no_trace,
    the_kind_of_picture_leaves_no_trace,
    degenerate_pictures_are_worst,
    it_says_what_it_lacks,
)
"""In the order they are checked: later ones take earlier ones for granted."""


def picture(seed: int, side: int = 64) -> Tensor:
    """Soft coloured spots, uint8 [3, side, side]."""
    dice = Generator().manual_seed(seed)
    coarse = torch.rand(1, 3, 6, 6, generator=dice)
    soft = torch.nn.functional.interpolate(coarse, (side, side), mode="bicubic")
    return (soft[0].clamp(0, 1) * 255).round().byte()


def _hint(judge: Judge, batch: Batch) -> str:
    """What the error advises; empty if there is none."""
    try:
        judge(batch)
    except ScorerError as error:
        return error.hint
    return ""


def _check_near(found: Tensor, wanted: Tensor, what: str) -> None:
    gap = float((found - wanted).abs().max() / wanted.abs().max().clamp(min=1))
    assert gap < _TOLERANCE, f"{what} changes scores by {gap:.1e}"
