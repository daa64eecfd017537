"""Drawing: what a picture depends on, and what it does not."""

from __future__ import annotations

import threading
from typing import Any

import numpy as np
import pytest
import tiny
import torch

from sample.other_pipelines import flux
from sdmerge.errors import Cancelled, InputError
from sdmerge.sample.draw import Drawer, Drawing, Shot
from sdmerge.sample.pipeline import build_pipeline
from sdmerge.sample.settings import Sampling

pytestmark = pytest.mark.filterwarnings("ignore")  # others' deprecations are not ours to mend

FAST = Sampling(steps=2, guidance_scale=3.0)
RED, BLUE = "a red cross on a black background", "a (blue:1.3) circle on a white background"
LONG = f"{RED}, {BLUE}, and a green star beside it"


@pytest.fixture(scope="module")
def pipeline() -> Any:
    models = [{"model": str(tiny.SAMPLES / "base")}]
    return build_pipeline(tiny.planned({"merge_method": "linear", "models": models}))


def pixels(drawer: Drawer, shots: list[Shot], **options: Any) -> list[np.ndarray]:
    return [np.asarray(one.image).astype(int) for one in drawer.draw(shots, **options)]


def test_the_picture_of_the_pipeline_itself(pipeline: Any) -> None:
    theirs = pipeline(
        prompt=[RED], negative_prompt=["blurred"], num_inference_steps=2, guidance_scale=3.0,
        generator=[torch.Generator("cpu").manual_seed(7)],
    ).images[0]  # fmt: skip
    shot = Shot(RED, 7, Sampling(2, 3.0, "blurred"))
    (mine,) = pixels(Drawer(pipeline), [shot])
    assert np.array_equal(mine, np.asarray(theirs))


def test_a_batch_changes_a_picture_by_rounding_only(pipeline: Any) -> None:
    shots = [Shot(RED, 1, FAST), Shot(BLUE, 2, FAST), Shot(LONG, 1, FAST), Shot(RED, 1, FAST)]
    together = pixels(Drawer(pipeline), shots)
    alone = [pixels(Drawer(pipeline), [shot], batch=1)[0] for shot in shots]
    for first, second in zip(together, alone, strict=True):
        assert np.abs(first - second).max() <= 1
    assert np.abs(together[0] - together[3]).max() <= 1
    assert np.abs(together[0] - together[1]).max() > 20


def test_only_shots_alike_share_a_batch(pipeline: Any) -> None:
    other = Sampling(steps=1, guidance_scale=3.0)
    shots = [Shot(RED, 1, FAST), Shot(RED, 2, FAST), Shot(LONG, 1, FAST), Shot(RED, 3, other)]
    told: list[Drawing] = []
    drawn = list(Drawer(pipeline).draw(shots, progress=told.append))
    starts = [(one.pictures, one.of_steps) for one in told if one.step == 0]
    assert starts == [(0, 2), (2, 2), (3, 1), (4, 0)]
    assert [one.shot for one in drawn] == shots
    assert all(one.seconds > 0 for one in drawn)


def test_samplers_draw_and_leave_the_pipeline_as_it_was(pipeline: Any) -> None:
    own = pipeline.scheduler
    shots = [Shot(RED, 1, Sampling(3, 3.0, sampler=name)) for name in ("DDIM", "Euler a", "LCM")]
    drawn = pixels(Drawer(pipeline), shots)
    assert pipeline.scheduler is own
    assert len({one.tobytes() for one in drawn}) == 3
    plain = pixels(Drawer(pipeline), [Shot(RED, 1, Sampling(3, 3.0))])
    assert np.array_equal(drawn[0], plain[0])  # the model's own is DDIM


def test_ancestral_noise_follows_the_seed_and_not_the_batch(pipeline: Any) -> None:
    sampling = Sampling(3, 3.0, sampler="Euler a")
    shots = [Shot(RED, seed, sampling) for seed in (1, 2)]
    together, alone = pixels(Drawer(pipeline), shots), pixels(Drawer(pipeline), shots, batch=1)
    assert all(np.abs(a - b).max() <= 1 for a, b in zip(together, alone, strict=True))


def test_what_is_left_open_suits_the_model(pipeline: Any) -> None:
    found = Drawer(pipeline).suited
    assert (found.steps, found.guidance_scale, found.why) == (25, 7.5, "")


def test_stopped_between_steps(pipeline: Any) -> None:
    cancel, told = threading.Event(), list[Drawing]()

    def watch(one: Drawing) -> None:
        told.append(one)
        if (one.pictures, one.step) == (1, 1):
            cancel.set()

    shots = [Shot(RED, seed, Sampling(5, 3.0)) for seed in range(3)]
    drawn = Drawer(pipeline).draw(shots, batch=1, progress=watch, cancel=cancel)
    assert next(drawn).shot.seed == 0
    with pytest.raises(Cancelled):
        next(drawn)
    assert told[-1] == Drawing(1, 3, 1, 5)


@pytest.mark.parametrize(
    ("shot", "said"),
    [
        (Shot("<lora:x:1>", 1, FAST), "--lora"),
        (Shot(RED, 1, Sampling(clip_skip=9)), "has 3 layers"),
        (Shot(RED, 1, Sampling(negative_prompt="a AND b")), "'and'"),
        (Shot(RED, 1, Sampling(sampler="Heun")), "pure noise"),
    ],
)
def test_what_is_wrong_is_said_before_the_first_picture(
    pipeline: Any, shot: Shot, said: str
) -> None:
    told: list[Drawing] = []
    with pytest.raises(InputError, match=said):
        list(Drawer(pipeline).draw([Shot(RED, 1, FAST), shot], progress=told.append))
    assert told == []


# models that read prompts with more than CLIP


def test_flux_takes_words_and_refuses_weights() -> None:
    drawer = Drawer(flux(guided=True))
    assert drawer.suited.guidance_scale == 3.5
    small = Sampling(steps=1, width=32, height=32)
    shots = [Shot("a cat", 1, small), Shot("a dog", 1, small), Shot(r"a \(cat\)", 1, small)]
    drawn = pixels(drawer, shots)
    assert len({one.tobytes() for one in drawn}) == 3
    assert np.abs(pixels(drawer, shots[1:2])[0] - drawn[1]).max() <= 1
    for shot, said in (
        (Shot("(cat:1.2)", 1), "takes no weights"),
        (Shot("cat", 1, Sampling(clip_skip=2)), "CLIP alone"),
        (Shot("cat", 1, Sampling(sampler="DDIM")), "flow matching"),
    ):
        with pytest.raises(InputError, match=said):
            list(drawer.draw([shot]))


def test_schnell_is_known_by_its_config() -> None:
    found = Drawer(flux(guided=False)).suited
    assert (found.steps, found.guidance_scale) == (4, 1.0)
    assert "guidance_embeds" in found.why
