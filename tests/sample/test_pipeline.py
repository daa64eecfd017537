"""A pipeline from a plan draws what the saved folder draws, pixel for pixel."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from tiny import FOLDER, Data, listing, model, planned, unet

from sdmerge.errors import PlanError
from sdmerge.merge import run
from sdmerge.sample.draw import Shot, draw
from sdmerge.sample.pipeline import build_pipeline
from sdmerge.sample.settings import Sampling
from sdmerge.sinks import FolderSink

pytestmark = pytest.mark.filterwarnings("ignore")  # others' deprecations are not ours to mend

SMALL = Sampling(steps=1, guidance_scale=2.0, width=64, height=64)
SHOTS = [Shot("a torii at dawn", 1), Shot("ukiyo-e", 1), Shot("a torii at dawn", 2)]


def recipe(family: str = "sd1", **more: object) -> Data:
    models = [{"model": str(model(family, seed, "diffusers"))} for seed in (1, 2)]
    return {"merge_method": "slerp", "models": models, "parameters": {"t": 0.3}, **more}


def pixels(pipeline: Any, shots: list[Shot] = SHOTS, **options: Any) -> np.ndarray:
    return np.stack([np.asarray(image) for image in draw(pipeline, shots, SMALL, **options)])


@pytest.fixture(scope="module")
def pipeline() -> Any:
    return build_pipeline(planned(recipe()))


def load(folder: Path) -> Any:
    import diffusers

    pipeline = diffusers.DiffusionPipeline.from_pretrained(folder, dtype=torch.float32)
    pipeline.set_progress_bar_config(disable=True)
    return pipeline


@pytest.mark.parametrize("family", ["sd1", "sdxl"])
def test_the_preview_is_the_saved_model(tmp_path: Path, family: str) -> None:
    made = planned(recipe(family))
    run(made, FolderSink(tmp_path / "out"))
    shown = pixels(build_pipeline(made), SHOTS[:1])
    assert np.array_equal(shown, pixels(load(tmp_path / "out"), SHOTS[:1]))
    assert shown.std() > 1


def test_noise_belongs_to_the_picture_and_not_to_the_batch(pipeline: Any) -> None:
    """On a CPU other batches may round otherwise; one step of 255 is that."""
    together = pixels(pipeline).astype(int)
    alone = pixels(pipeline, batch=1).astype(int)
    assert np.abs(together - alone).max() <= 1
    again = pixels(pipeline)
    assert np.array_equal(together, again)
    assert not np.array_equal(together[0], together[2])


def test_weights_are_rounded_to_what_is_stored_and_drawn_with_in_float32(pipeline: Any) -> None:
    wide = build_pipeline(planned(recipe(dtype="float32")))
    assert {p.dtype for p in pipeline.unet.parameters()} == {torch.float32}
    narrow = pipeline.unet.state_dict()
    assert all(torch.equal(t.half().float(), narrow[k]) for k, t in wide.unet.state_dict().items())
    assert any(not torch.equal(t, narrow[k]) for k, t in wide.unet.state_dict().items())


def test_drawing_in_another_dtype() -> None:
    made = build_pipeline(planned(recipe()), dtype=torch.bfloat16)
    assert {p.dtype for p in made.unet.parameters()} == {torch.bfloat16}
    assert {p.dtype for p in made.text_encoder.parameters()} == {torch.bfloat16}


def test_no_weight_is_left_as_it_was_made(pipeline: Any) -> None:
    for name in ("unet", "vae", "text_encoder"):
        network = getattr(pipeline, name)
        assert not network.training
        assert all(p.isfinite().all() and not p.requires_grad for p in network.parameters())
        assert not any(tensor.is_meta for tensor in network.state_dict().values())


def test_nothing_is_left_on_the_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    made = planned(recipe())
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    build_pipeline(made)
    assert listing(tmp_path) == []
    assert FOLDER.is_dir()


def test_a_model_without_a_text_encoder_draws_nothing(tmp_path: Path) -> None:
    data = {"merge_method": "linear", "models": [{"model": str(unet(1))}]}
    with pytest.raises(PlanError) as caught:
        build_pipeline(planned(data))
    assert caught.value.what.startswith("the model has no vae, text_encoder")
    assert "take: MODEL" in caught.value.hint
    folder = {"take": str(model("sd1", 1, "diffusers"))}
    whole = dict.fromkeys(("vae", "text_encoder", "tokenizer"), folder)
    assert build_pipeline(planned({**data, "components": whole})).vae is not None
