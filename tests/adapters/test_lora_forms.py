"""What a LoKr is split into, against LyCORIS, whose format it is."""

# LyCORIS is untyped
# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false

from __future__ import annotations

import pytest
import torch
from lycoris.functional.general import factorization as theirs
from lycoris.modules.lokr import LokrModule
from torch import nn

from sdmerge.adapters.lora.forms import Form, factorization
from sdmerge.families import FAMILIES


@pytest.mark.parametrize("factor", [-1, 2, 4, 7, 8, 10, 16, 32])
def test_sizes_are_split_as_lycoris_splits_them(factor: int) -> None:
    sizes = [*range(1, 400), 640, 768, 1024, 1280, 1920, 2048, 2560, 3072, 5120, 10240]
    assert [factorization(size, factor) for size in sizes] == [theirs(n, factor) for n in sizes]


SHAPES = sorted(
    {
        spec.shape
        for component in ("unet", "text_encoder")
        for spec in FAMILIES.get("sd1").specs(component, {}, "F32").values()
        if len(spec.shape) > 1
    }
)


@pytest.mark.parametrize(("factor", "rank"), [(-1, None), (-1, 4), (-1, 16), (4, 32), (8, 16)])
def test_lycoris_makes_modules_of_all_shapes(factor: int, rank: int | None) -> None:
    """Its loader guesses the split from the factors' shapes."""
    form = Form("lokr", factor)
    for shape in SHAPES:
        parts = {name: torch.zeros(size) for name, size in form.shapes(shape, rank).items()}
        names = LokrModule.weight_list
        layer: nn.Module = nn.Linear(shape[1], shape[0], device="meta")
        if len(shape) > 2:
            layer = nn.Conv2d(shape[1], shape[0], shape[2], device="meta")
        with torch.no_grad():
            made = LokrModule.make_module_from_state_dict(
                "x", layer, *(parts.get(name, torch.tensor(1.0) if name == "alpha" else None)
                              for name in names)
            )  # fmt: skip
        assert made.get_weight(shape).shape == shape


def test_the_bytes_are_those_of_the_parts() -> None:
    assert Form().nbytes((320, 320, 3, 3), 8, "F16") == 2 * 8 * (320 + 2880) + 4
    assert Form("dora").nbytes((320, 768), 8, "F16") == 2 * 8 * 1088 + 4 * 320 + 4
    whole = Form("lokr").nbytes((320, 320), None, "F32")
    assert whole == 4 * (16 * 16 + 20 * 20) + 4
    assert Form("lokr", 4).nbytes((320, 320), 8, "F32") == 4 * (16 + 8 * 160) + 4
