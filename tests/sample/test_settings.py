"""Settings and samplers: one declaration, names as people write them, honest refusals."""

from __future__ import annotations

import inspect
import subprocess
import sys
from typing import Any

import diffusers
import pytest

from sdmerge.errors import InputError
from sdmerge.sample.samplers import SAMPLERS, make_scheduler, sampler_name
from sdmerge.sample.settings import SAMPLING, Sampling, read_sampling

pytestmark = pytest.mark.filterwarnings("ignore")  # others' deprecations are not ours to mend


def test_settings_are_the_fields_of_sampling() -> None:
    assert list(SAMPLING) == [*Sampling.__slots__[:2], "negative_prompt", "width", "height",
                              "sampler", "clip_skip"]  # fmt: skip
    assert set(SAMPLING) == set(Sampling.__slots__)


def test_reading_by_name() -> None:
    found = read_sampling({"steps": 4, "guidance_scale": 0, "sampler": "dpm++ 2m karras"})
    assert found == Sampling(steps=4, guidance_scale=0.0, sampler="DPM++ 2M Karras")
    assert read_sampling({"width": 640}, found) == Sampling(4, 0.0, "", 640, None, found.sampler)


@pytest.mark.parametrize(
    ("data", "said"),
    [
        ({"step": 4}, "'steps'"),
        ({"steps": 0}, "1..1000"),
        ({"steps": 2.5}, "whole number"),
        ({"width": 100}, "multiple of 8"),
        ({"guidance_scale": "high"}, "a number"),
        ({"sampler": "DPM+ 2M Karras"}, "'DPM++ 2M Karras'"),
        ({"clip_skip": 0}, "1..12"),
    ],
)
def test_wrong_settings(data: dict[str, Any], said: str) -> None:
    with pytest.raises(InputError) as caught:
        read_sampling(data)
    assert said in str(caught.value)


@pytest.mark.parametrize("text", ["Euler a", "euler A", "EULER_A", "  euler   a "])
def test_spellings(text: str) -> None:
    assert sampler_name(text) == "Euler a"


@pytest.mark.parametrize("name", SAMPLERS)
def test_every_flag_is_one_that_the_scheduler_takes(name: str) -> None:
    sampler = SAMPLERS[name]
    takes = inspect.signature(getattr(diffusers, sampler.scheduler).__init__).parameters
    assert set(sampler.flags) <= set(takes)


@pytest.mark.parametrize("name", SAMPLERS)
def test_a_scheduler_keeps_what_the_model_was_trained_with(name: str) -> None:
    own = diffusers.DDIMScheduler(
        beta_start=0.002, beta_end=0.03, beta_schedule="scaled_linear",
        prediction_type="v_prediction", num_train_timesteps=500,
    )  # fmt: skip
    made = make_scheduler(name, own)
    for key in ("beta_start", "beta_end", "beta_schedule", "prediction_type",
                "num_train_timesteps"):  # fmt: skip
        assert made.config[key] == own.config[key]
    assert made.config.get("use_karras_sigmas", False) == name.endswith("Karras")


def test_a_spacing_of_the_model_does_not_stay() -> None:
    own = diffusers.EulerDiscreteScheduler(use_karras_sigmas=True)
    assert make_scheduler("Euler", own).config.use_karras_sigmas is False
    assert make_scheduler("Euler Exponential", own).config.use_exponential_sigmas is True


def test_pure_noise_at_the_start() -> None:
    own = diffusers.DDIMScheduler(rescale_betas_zero_snr=True)
    assert make_scheduler("Euler a", own).config.rescale_betas_zero_snr
    with pytest.raises(InputError, match="pure noise"):
        make_scheduler("Heun", own)


def test_flow_matching_has_its_own() -> None:
    own = diffusers.FlowMatchEulerDiscreteScheduler(shift=3.0)
    made = make_scheduler("Heun", own)
    assert type(made).__name__ == "FlowMatchHeunDiscreteScheduler"
    assert made.config.shift == 3.0
    with pytest.raises(InputError, match="flow matching"):
        make_scheduler("DDIM", own)


def test_settings_need_no_torch() -> None:
    code = "import sys, sdmerge.sample.settings; print('torch' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"
