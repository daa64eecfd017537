"""Evaluating on the samples: what a merge in memory is worth is what its saved file is worth."""

import gc
import pickle
import tempfile
import threading
import weakref
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
import torch
from diffusers.pipelines.pipeline_utils import DiffusionPipeline
from PIL import Image

from sdmerge.errors import Cancelled, InputError
from sdmerge.evolve.evaluate import EvaluatorSpec, LiveEvaluator
from sdmerge.evolve.exam import Exam
from sdmerge.evolve.workers import Job, Local
from sdmerge.live import LiveMerge
from sdmerge.merge import run
from sdmerge.plan import plan
from sdmerge.recipe import Recipe, load_recipe
from sdmerge.scoring.choice import Choice
from sdmerge.scoring.prompts import read_prompts
from sdmerge.sinks import FolderSink

ROOT = Path(__file__).parents[2]
SAMPLES = ROOT / "samples"
SAMPLING = {"steps": 2, "guidance_scale": 1.0}
CLIP = Choice("clip", (("model", str(SAMPLES / "scorers/clip_a")),))
ORACLE = Choice("oracle", (("model", str(SAMPLES / "scorers/oracle")),))
EXAM = Exam.of(read_prompts(SAMPLES / "prompts/search.jsonl")[:3], 2, "test")


def recipe(weight: float = 1.0) -> Recipe:
    setting = f"models[0].parameters.weight={weight}"
    return load_recipe(ROOT / "recipes/first.yaml", [setting])


@pytest.fixture(scope="module")
def evaluator(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveEvaluator]:
    cache = tmp_path_factory.mktemp("cache") / "sha256.json"
    spec = EvaluatorSpec((CLIP, ORACLE), cache=cache, batch=4)
    with closing(pickle.loads(pickle.dumps(spec)).open()) as opened:
        yield opened


def test_its_pictures_are_those_of_the_saved_model(
    evaluator: LiveEvaluator, tmp_path: Path
) -> None:
    kept: dict[tuple[int, int], Any] = {}

    def keep(place: int, at: int, image: Any) -> None:
        kept[place, at] = image

    found = evaluator(recipe(), EXAM, SAMPLING, keep=keep)
    assert [len(own) for own in found.scores["clip"]] == [2, 2, 2]
    assert set(kept) == {(place, at) for place in range(3) for at in range(2)}
    run(plan(recipe()), FolderSink(tmp_path / "model"))
    pipeline: Any = DiffusionPipeline.from_pretrained(tmp_path / "model")  # pyright: ignore
    pipeline.set_progress_bar_config(disable=True)
    noise = torch.Generator().manual_seed(EXAM.seeds[1][0])
    image = pipeline(
        EXAM.lines[1].prompt, num_inference_steps=2, guidance_scale=1.0, generator=noise
    ).images[0]
    differing = torch.tensor(list(image.tobytes())) - torch.tensor(list(kept[1, 0].tobytes()))
    assert int(differing.abs().max()) <= 1  # drawn alone and in a batch


def test_the_same_recipe_is_worth_the_same_again(evaluator: LiveEvaluator) -> None:
    first = evaluator(recipe(), EXAM, SAMPLING)
    other = evaluator(recipe(0.1), EXAM, SAMPLING)
    assert evaluator(recipe(), EXAM, SAMPLING) == first
    assert other != first
    assert set(first.seconds) == {"merge", "draw", "total"}


def test_only_the_scorers_that_are_asked_answer(evaluator: LiveEvaluator) -> None:
    whole = evaluator(recipe(), EXAM, SAMPLING)
    part = evaluator(recipe(), EXAM, SAMPLING, columns=["clip"])
    assert set(whole.scores) == {"clip", "oracle"}
    assert part.scores == {"clip": whole.scores["clip"]}
    with pytest.raises(InputError, match="no column 'clop'"):
        evaluator(recipe(), EXAM, SAMPLING, columns=["clop"])


def living() -> set[LiveMerge]:
    return {one for one in gc.get_objects() if type(one) is LiveMerge}


def test_what_was_opened_for_jobs_is_let_go(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    before, local = living(), Local(EvaluatorSpec((CLIP,), batch=4))
    (outcome,) = local.run(iter([Job(0, recipe(), EXAM.part([0]), SAMPLING)]))
    assert outcome.error is None
    (live,) = living() - before
    unet, memory = weakref.ref(live.pipeline.unet), live.memory
    assert memory.used > 0
    assert len(list(tmp_path.iterdir())) == 1  # hashes, as no workspace keeps them
    local.close()
    assert memory.used == 0
    assert list(tmp_path.iterdir()) == []
    del live
    gc.collect()
    assert unet() is None


def test_it_stops_when_it_is_told_to(evaluator: LiveEvaluator) -> None:
    stop = threading.Event()

    def keep(place: int, at: int, image: Image.Image) -> None:
        stop.set()

    with pytest.raises(Cancelled):
        evaluator(recipe(), EXAM, SAMPLING, keep=keep, cancel=stop)
    assert evaluator(recipe(), EXAM, SAMPLING).mean("clip") > 0
