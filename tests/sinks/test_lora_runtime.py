"""A merged LoRA in plain diffusers: what the UNet makes with both adapters loaded, it makes too."""

# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false
# pyright: reportUnknownArgumentType=false

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from tiny import ROOT, cli
from torch import Tensor

pytestmark = pytest.mark.filterwarnings("ignore")  # others' deprecations are not ours to mend
LORAS = tuple(ROOT / "samples" / "loras" / f"{name}.safetensors" for name in ("torii", "pop"))
BASE = ROOT / "samples" / "models" / "base"
WEIGHTS = (0.8, 0.6)


def prediction(*loras: Path, weights: tuple[float, ...]) -> tuple[Tensor, Tensor]:
    """What the UNet and the text encoder make of one noise and one prompt."""
    from diffusers import DiffusionPipeline  # pyright: ignore[reportPrivateImportUsage]

    pipe = DiffusionPipeline.from_pretrained(str(BASE), torch_dtype=torch.float32)
    for place, path in enumerate(loras):
        pipe.load_lora_weights(str(path), adapter_name=f"m{place}")
    if loras:
        pipe.set_adapters([f"m{place}" for place in range(len(loras))], list(weights))
    words = pipe.tokenizer(["a red circle"], padding="max_length", return_tensors="pt")
    seeded = torch.Generator("cpu").manual_seed(1)
    noise = torch.randn(1, pipe.unet.config.in_channels, 8, 8, generator=seeded)
    with torch.no_grad():
        said = pipe.text_encoder(words.input_ids)[0]
        return pipe.unet(noise, 500, said).sample, said


@pytest.mark.parametrize("dialect", ["diffusers", pytest.param("kohya", marks=pytest.mark.long)])
def test_it_is_both_adapters_at_once(tmp_path: Path, dialect: str) -> None:
    out = tmp_path / "sum.safetensors"
    weights = ",".join(map(str, WEIGHTS))
    done = cli("lora", "merge", *LORAS, "--weight", weights, "--base", BASE,
               "--dtype", "float32", "--dialect", dialect, "-o", out)  # fmt: skip
    assert done.code == 0, done.err
    plain, both = prediction(weights=()), prediction(*LORAS, weights=WEIGHTS)
    merged = prediction(out, weights=(1.0,))
    for found, wanted, before in zip(merged, both, plain, strict=True):
        moved = float((wanted - before).abs().max())
        assert float((found - wanted).abs().max()) <= 1e-4 * max(moved, 1e-3)
