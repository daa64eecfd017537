"""What suits a model: by its config, else by the names of what takes part."""

from __future__ import annotations

from pathlib import Path

import diffusers
import pytest
import tiny

from sdmerge.sample.pipeline import build_pipeline
from sdmerge.sample.settings import Sampling
from sdmerge.sample.suited import Suited, filled, suited

pytestmark = pytest.mark.filterwarnings("ignore")  # others' deprecations are not ours to mend

LORAS = tiny.ROOT / "samples" / "loras"


def found(models: list[Path], apply: list[Path] | None = None) -> Suited:
    data = {"merge_method": "linear", "models": [{"model": str(path)} for path in models],
            "apply": [str(path) for path in apply or []]}  # fmt: skip
    plan = tiny.planned(data)
    return suited(PIPELINE, plan)


PIPELINE = build_pipeline(
    tiny.planned(
        {"merge_method": "linear", "models": [{"model": str(tiny.model("sd1", 1, "diffusers"))}]}
    )
)


def named(tmp_path: Path, name: str) -> Path:
    return tiny.copy(tiny.model("sd1", 1), tmp_path / name)


@pytest.mark.parametrize(
    ("name", "steps"),
    [
        ("myXL_Turbo.safetensors", 4),
        ("sdxl_lightning_8step.safetensors", 8),
        ("Hyper-SD15-1step.safetensors", 1),
        ("lcm-dreamshaper.safetensors", 4),
        ("turbomix-v2.safetensors", 25),
        ("anime-30000steps.safetensors", 25),
        ("hyperrealism.safetensors", 25),
        ("calcmode.safetensors", 25),
    ],
)
def test_names(tmp_path: Path, name: str, steps: int) -> None:
    suits = found([named(tmp_path, name)])
    assert suits.steps == steps
    assert suits.guidance_scale == (7.5 if steps == 25 else 1.0)
    assert bool(suits.why) == (steps != 25)


def test_one_distilled_checkpoint_of_two_says_nothing(tmp_path: Path) -> None:
    one, two = named(tmp_path, "a-turbo.safetensors"), named(tmp_path, "b.safetensors")
    assert found([one, two]).steps == 25
    assert found([one, named(tmp_path, "c_lightning.safetensors")]).steps == 4


def test_one_distilled_lora_says_it() -> None:
    base = tiny.SAMPLES / "base"
    suits = found([base], [LORAS / "few_step.safetensors"])
    assert (suits.steps, suits.why) == (4, "distilled, as few_step.safetensors says")
    assert found([base], [LORAS / "pop.safetensors"]).steps == 25


def test_the_scheduler_says_it() -> None:
    own = PIPELINE.scheduler
    try:
        PIPELINE.scheduler = diffusers.LCMScheduler.from_config(own.config)
        assert suited(PIPELINE).why == "distilled, as LCMScheduler says"
    finally:
        PIPELINE.scheduler = own


def test_what_is_given_stays() -> None:
    suits = Suited(4, 1.0)
    assert filled(Sampling(), suits) == Sampling(4, 1.0)
    assert filled(Sampling(12, 0.0, "x"), suits) == Sampling(12, 0.0, "x")
