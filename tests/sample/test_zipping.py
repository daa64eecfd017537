"""ZipLoRA's training on real pipelines: what is trained is what is merged."""

from __future__ import annotations

import copy
import functools
import math
import shutil
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tiny
import torch
from PIL import Image
from torch import Tensor

from sdmerge.album import Reference
from sdmerge.engine import Engine
from sdmerge.errors import FileError, MethodError, PlanError
from sdmerge.fit import Change, Examples, Training
from sdmerge.fitting import FitModels
from sdmerge.lowrank import Factors
from sdmerge.merge import Progress
from sdmerge.methods import METHODS
from sdmerge.plan import Plan, plan
from sdmerge.recipe import recipe_from_data
from sdmerge.sample.changed import Changed, layers_of
from sdmerge.sample.denoising import draw_latent, noisy
from sdmerge.sample.draw import Shot
from sdmerge.sample.pipeline import build_pipeline
from sdmerge.sample.probe import PipelineProbe, pipelines
from sdmerge.sample.references import encoded
from sdmerge.sample.zipping import Example, Lessons, distance, lessons, similarity, train

BASE = str(tiny.SAMPLES / "base")
TORII = str(tiny.ROOT / "samples" / "loras" / "torii.safetensors")
LOCON = str(tiny.ROOT / "samples" / "loras" / "pop_locon.safetensors")
UKIYOE = str(tiny.SAMPLES / "ukiyoe")
PROMPTS = ["a red torii on a white background", "pop art style, a blue star on a black background"]
SMALL = Training([1.0, 1.0], 4, 2, 0.05, "cosine", 0.01, 1, 1)


def planned(*models: str, method: str = "task_arithmetic", **parameters: object) -> Plan:
    own = [{"prompts": [prompt]} if method == "ziplora" else {} for prompt in PROMPTS]
    entries = [
        {"model": model, "name": f"m{place}", "parameters": own[place]}
        for place, model in enumerate(models)
    ]
    recipe = {"merge_method": method, "base_model": BASE, "models": entries, "dtype": "float32"}
    return plan(recipe_from_data({**recipe, "parameters": parameters}))


def pipeline_of(*models: str) -> Any:
    return build_pipeline(planned(*models, normalize=False))


@functools.cache
def changes(*models: str) -> Mapping[str, list[Change | None]]:
    made = planned(*models, method="ziplora")
    (fit,) = made.fits
    seen = FitModels(fit, Engine(made.sources, made.source_names, METHODS))
    return {key: [seen.change(place, key) for place in range(len(models))] for key in seen.shapes}


def changed(pipeline: Any, *models: str) -> Changed:
    probe = PipelineProbe((planned(TORII),), 0)
    layers = layers_of(probe._layers(pipeline))
    return Changed(layers, dict(probe._parameters(pipeline)), changes(*models))


def says(pipeline: Any) -> Tensor:
    """What it says of two noisy latents, at different times."""
    latents = [
        noisy(pipeline, torch.randn(1, 4, 8, 8, generator=torch.Generator().manual_seed(n)), n)
        for n in range(2)
    ]
    with torch.no_grad():
        return torch.cat([one.predicted(pipeline, PROMPTS[:1]) for one in latents])


def far(one: Tensor, other: Tensor) -> float:
    return float((one - other).norm() / other.norm())


@functools.cache
def base() -> Any:
    """The base, which no test leaves changed."""
    models = [{"model": BASE}]
    recipe = {"merge_method": "passthrough", "models": models, "dtype": "float32"}
    return build_pipeline(plan(recipe_from_data(recipe)))


def test_changes_at_work_are_changes_merged() -> None:
    """A LoRA of both networks, and a checkpoint that has other norms and biases as well."""
    plain = says(base())
    at_work = changed(base(), TORII, UKIYOE)
    kinds = {type(change) for own in changes(TORII, UKIYOE).values() for change in own}
    assert kinds == {Factors, Tensor, type(None)}
    with at_work.hooked():
        both = says(base())
        with at_work.alone(1):
            other = says(base())
        assert torch.equal(says(base()), both)
    assert torch.equal(says(base()), plain), "nothing is left behind"
    assert far(other, says(pipeline_of(UKIYOE))) < 1e-5
    assert far(both, says(pipeline_of(TORII, UKIYOE))) < 1e-5
    assert min(far(both, one) for one in (plain, other)) > 1e-3


def taught(training: Training, at_work: Changed) -> list[dict[str, float]]:
    """What a training of these changes says."""
    told: list[dict[str, float]] = []
    with at_work.hooked():
        own: dict[str, Lessons] = {}
        for place, prompt in enumerate(PROMPTS):
            with at_work.alone(place):
                latent = draw_latent(base(), Shot(prompt, 0), training.steps, 3.0)
                own[f"m{place}"] = lessons(base(), [Example(latent, prompt)], training, 0)
        train(base(), at_work, own, training, lambda _, numbers: told.append({**numbers}))
    return told


@functools.cache
def trained() -> tuple[Changed, list[dict[str, float]]]:
    """A short training of a LoRA of both networks and one that changes convolutions."""
    at_work = changed(base(), TORII, LOCON)
    return at_work, taught(SMALL, at_work)


def test_training_says_how_it_goes() -> None:
    at_work, told = trained()
    assert [*told[0]] == ["fidelity m0", "fidelity m1", "similarity", "distance"]
    assert len(told) == SMALL.updates
    first, last = (sum(one[f"fidelity m{k}"] for k in (0, 1)) for one in (told[0], told[-1]))
    assert last < first
    assert told[0]["similarity"] == pytest.approx(1.0)
    assert told[0]["distance"] < told[-1]["distance"] <= SMALL.updates * SMALL.rate * 1.1
    assert (
        distance([m for own in at_work.mergers.values() for m in own.values()])
        == (told[-1]["distance"])
    )


def test_the_merged_weights_are_the_trained_model() -> None:
    """ΔW·diag(m), by hand, in a plain pipeline: for linear layers and 3×3 convolutions."""
    at_work, _ = trained()
    with at_work.hooked():
        wanted = says(base())
    plain = copy.deepcopy(base())
    probe = PipelineProbe((planned(TORII),), 0)
    state = dict(probe._parameters(plain))
    for key, own in changes(TORII, LOCON).items():
        for place, change in enumerate(own):
            if isinstance(change, Factors):
                delta = change.up.double() @ change.down.double() * change.scale
                columns = delta.reshape(len(delta), len(at_work.mergers[key][place]), -1)
                scaled = columns * at_work.mergers[key][place].detach().double().reshape(1, -1, 1)
                state[key].data += scaled.reshape(state[key].shape).float()
    assert far(says(plain), wanted) < 1e-5


def merged_by(**parameters: object) -> tuple[Plan, Callable[[], dict[str, Tensor]], list[Progress]]:
    made = planned(TORII, LOCON, method="ziplora", samples=1, steps=1, **parameters)
    told: list[Progress] = []
    return made, lambda: tiny.merged(made, probe=pipelines, progress=told.append), told


def test_the_method_scales_columns_by_what_it_trains() -> None:
    _, run, told = merged_by(updates=2, rate=0.5)
    merged, plain = run(), tiny.canonical(tiny.SAMPLES / "base")
    every = {
        key: [c.up @ c.down * c.scale for c in own if isinstance(c, Factors)]
        for key, own in changes(TORII, LOCON).items()
    }
    # where both change most, rounding counts least
    both = {key: own for key, own in every.items() if len(own) == 2}
    key = max(both, key=lambda key: float(min(delta.norm() for delta in both[key])))
    dense = every[key]
    found = merged[key].reshape(dense[0].shape) - plain[key].float().reshape(dense[0].shape)
    # every column is a mix of the two columns: what is left is rounding
    columns = torch.stack(dense, dim=2).double().movedim(1, 0)  # [in, out, 2]
    mixed = columns @ torch.linalg.lstsq(columns, found.T.double()[..., None]).solution
    assert far(mixed[..., 0].T, found.double()) < 1e-3
    assert far(sum(dense).double(), found.double()) > 0.05
    logs = [one.log for one in told if one.log]
    assert [*logs[-1]] == ["fidelity m0", "fidelity m1", "similarity", "distance"]
    assert [len(numbers) for numbers in logs[-1].values()] == [2] * 4


def test_mergers_that_stay_at_one_are_an_error() -> None:
    _, run, _ = merged_by(updates=2, rate=5e-5)
    with pytest.raises(MethodError, match=r"the mergers moved by [5-9]\.?\d*e-05 in") as caught:
        run()
    assert "Raise rate (now 5e-05" in caught.value.hint


def test_similarity_is_of_every_two_models() -> None:
    a, b, c = torch.tensor([1.0, 0.0]), torch.tensor([1.0, -1.0]), torch.tensor([0.0, 2.0])
    mergers = {"one": {0: a, 1: b, 2: c}, "alone": {1: a}}
    cosine, pairs = similarity(mergers, "cosine")
    assert pairs == 3
    assert float(cosine) == pytest.approx(2 / math.sqrt(2))
    assert float(similarity(mergers, "product")[0]) == pytest.approx(1 + 0 + 2)
    assert similarity({"alone": {1: a}}, "cosine")[1] == 0


def test_training_ends_when_the_mergers_are_apart() -> None:
    at_work = changed(base(), TORII, LOCON)
    for own in at_work.mergers.values():
        for place, merger in own.items():
            ones = torch.arange(merger.numel()) % 2 == place
            merger.data = ones.float().reshape(merger.shape)
    slow = Training([1.0, 1.0], 3, 1, 1e-6, "cosine", 0.01, 1, 1)
    assert len(taught(slow, at_work)) == 1


PICTURES = sorted((tiny.ROOT / "samples" / "references" / "test").glob("*.png"))


def test_references_are_what_the_encoder_makes_of_them() -> None:
    shown = Examples(["b", "c"], [Reference(path, "") for path in PICTURES[:3]])
    found = encoded(base(), shown)
    assert [one.prompt for one in found] == ["b", "c", "b"]
    for one, path in zip(found, PICTURES, strict=False):
        with Image.open(path) as picture:
            levels = torch.tensor(np.asarray(picture.convert("RGB"))).permute(2, 0, 1)
        with torch.no_grad():
            pixels = levels[None].float() / 255 * 2 - 1
            wanted = base().vae.encode(pixels).latent_dist.mean * base().vae.config.scaling_factor
        assert torch.allclose(one.latent, wanted, atol=1e-6)


def test_a_large_picture_is_cut_to_the_square_around_its_middle(tmp_path: Path) -> None:
    wide = Image.new("RGB", (300, 128), "red")
    wide.paste("blue", (86, 0, 214, 128))
    wide.save(tmp_path / "wide.png")
    Image.new("RGB", (64, 64), "blue").save(tmp_path / "small.png")
    album = [Reference(tmp_path / f"{name}.png", "blue") for name in ("wide", "small")]
    one, other = encoded(base(), Examples([], album))
    assert far(one.latent, other.latent) < 0.05


def captioned(folder: Path, count: int, caption: str = "") -> Path:
    folder.mkdir()
    for number, path in enumerate(PICTURES[:count]):
        shutil.copy(path, folder)
        if caption:
            (folder / f"{path.stem}.txt").write_text(f"{caption} {number}\n", "utf-8")
    return folder


def test_a_training_on_references_is_another(tmp_path: Path) -> None:
    """Their bytes and captions are in its address; where they lie is not."""
    folders = [captioned(tmp_path / name, 2, "a shape") for name in ("one", "two")]
    entries = [
        {"model": model, "name": name, "parameters": {"references": str(folder)}}
        for model, name, folder in zip((TORII, LOCON), ("m0", "m1"), folders, strict=True)
    ]
    recipe = {
        "merge_method": "ziplora", "base_model": BASE, "models": entries, "dtype": "float32",
        "parameters": {"updates": 2, "rate": 0.5, "samples": 1, "steps": 1},
    }  # fmt: skip
    made = plan(recipe_from_data(recipe))
    drawn, *_ = merged_by(updates=2, rate=0.5)
    merged = tiny.merged(made, probe=pipelines)
    other = tiny.merged(drawn, probe=pipelines)
    assert any(not torch.equal(tensor, other[key]) for key, tensor in merged.items())
    moved = [folder.rename(tmp_path / f"{folder.name}-moved") for folder in folders]
    for entry, folder in zip(entries, moved, strict=True):
        entry["parameters"]["references"] = str(folder)
    assert plan(recipe_from_data(recipe)).fit_keys == made.fit_keys
    (moved[0] / f"{PICTURES[0].stem}.txt").write_text("another", "utf-8")
    assert plan(recipe_from_data(recipe)).fit_keys != made.fit_keys


def test_what_shows_nothing_needs_prompts(tmp_path: Path) -> None:
    folder = captioned(tmp_path / "bare", 2)
    entries: list[dict[str, Any]] = [
        {"model": model, "name": name, "parameters": {"references": str(folder)}}
        for model, name in ((TORII, "m0"), (LOCON, "m1"))
    ]
    recipe = {"merge_method": "ziplora", "base_model": BASE, "models": entries}
    with pytest.raises(PlanError, match="needs prompts"):
        plan(recipe_from_data(recipe))
    for entry in entries:
        entry["parameters"]["prompts"] = ["a shape"]
    assert plan(recipe_from_data(recipe)).fits
    entries[0]["parameters"]["references"] = str(tmp_path / "none")
    with pytest.raises(FileError, match="there is no folder"):
        plan(recipe_from_data(recipe))
