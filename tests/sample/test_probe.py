"""The probe of real pipelines: what it gathers from the sample models."""

from __future__ import annotations

import pytest
import tiny
import torch

from sdmerge.plan import plan
from sdmerge.recipe import recipe_from_data
from sdmerge.sample.pipeline import build_pipeline
from sdmerge.sample.probe import PipelineProbe, pipelines

PROMPTS = ["a red cross on a black background", "a blue circle on a white background"]


@pytest.fixture(scope="module")
def probe() -> PipelineProbe:
    models = [{"model": str(tiny.SAMPLES / "base")}]
    made = plan(recipe_from_data({"merge_method": "linear", "models": models}))
    return pipelines([made], 0)


def test_every_layer_is_watched_and_no_wider_one(probe: PipelineProbe) -> None:
    specs = probe.plans[0].sources[0].specs
    narrow = [key for key, spec in specs.items() if spec.numel // max(1, *spec.shape[:1]) <= 200]
    kept = dict.fromkeys(narrow, lambda rows: rows.T @ rows)
    found = dict(probe.activations(0, PROMPTS, kept, samples=1, steps=1))
    for key, gram in found.items():
        width = specs[key].numel // specs[key].shape[0]
        assert gram.shape == (width, width)
        assert width <= 200
        assert torch.equal(gram, gram.T)
        assert float(gram.diagonal().sum()) > 0, key
    assert any(key.startswith("text_encoder.") for key in found)
    assert "unet.conv_in.weight" in found
    assert "unet.mid_block.attentions.0.transformer_blocks.0.attn2.to_k.weight" in found
    assert not any(".norm" in key for key in found)


def test_gradients_reach_the_unet_and_the_text_encoder(probe: PipelineProbe) -> None:
    found = dict(probe.gradients(0, PROMPTS, samples=2, steps=1))
    specs = probe.plans[0].sources[0].specs
    for key in ("unet.conv_out.weight", "text_encoder.encoder.layers.0.mlp.fc1.weight"):
        assert found[key].shape == specs[key].shape
        assert float(found[key].min()) >= 0
        assert float(found[key].max()) > 0
    again = dict(probe.gradients(0, PROMPTS, samples=2, steps=1))
    assert all(torch.equal(found[key], again[key]) for key in found)
    assert set(found) <= set(specs)


def test_the_network_has_the_names_and_shapes_of_the_model(probe: PipelineProbe) -> None:
    ((component, (module, inputs)),) = probe.networks().items()
    specs = probe.plans[0].sources[0].specs
    named = {f"{component}.{name}": tuple(one.shape) for name, one in module.named_parameters()}
    assert named == {key: s.shape for key, s in specs.items() if key.startswith(f"{component}.")}
    assert all(parameter.is_meta for parameter in module.parameters())
    assert module(**inputs).sample.shape == inputs["sample"].shape


def test_a_merge_that_draws_first(probe: PipelineProbe) -> None:
    models = [{"model": str(tiny.SAMPLES / name)} for name in ("japanese", "ukiyoe")]
    rule = {"merge_method": "regmean", "parameters": {
        "prompts": PROMPTS, "samples": 1, "steps": 1}}  # fmt: skip
    recipe = {"merge_method": "linear", "models": models, "components": {"text_encoder": rule}}
    pipeline = build_pipeline(plan(recipe_from_data(recipe)), probe=pipelines)
    plain = tiny.merged({"merge_method": "linear", "models": models})
    key = "encoder.layers.0.self_attn.q_proj.weight"
    merged = pipeline.text_encoder.state_dict()
    name = next(name for name in merged if name.endswith(key))
    averaged = plain[f"text_encoder.{key}"].reshape(merged[name].shape).float()
    moved = (merged[name].float() - averaged).abs()
    assert 0 < float(moved.max()) < 10 * float(averaged.abs().max())
    conv = pipeline.unet.state_dict()["conv_in.weight"].float()
    assert torch.equal(conv.reshape(-1), plain["unet.conv_in.weight"].reshape(-1).float())
