"""Batch: one way in for pictures of every kind, and what is wrong with them."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from PIL import Image

from sdmerge.errors import ScorerError
from sdmerge.scoring.batch import as_levels, batch_of, from_image, to_image


def test_every_level_survives_every_kind() -> None:
    levels = torch.arange(256, dtype=torch.uint8).reshape(1, 16, 16).repeat(3, 1, 1)
    for kind in (levels, levels.float() / 255, (levels.double() / 255).half(), to_image(levels)):
        assert torch.equal(as_levels(kind)[0], levels)
    assert torch.equal(batch_of([levels]).pictures[0], levels.float() / 255)


def test_levels_are_the_nearest() -> None:
    given = torch.tensor([-1.0, 0.4 / 255, 0.6 / 255, 254.4 / 255, 2.0]).view(1, 1, 5)
    assert as_levels(given.repeat(3, 1, 1))[0][0, 0].tolist() == [0, 0, 1, 254, 255]


def test_channels_and_rows_stay_where_they_are() -> None:
    pixels = np.zeros((4, 6, 3), np.uint8)
    pixels[1, 2] = (10, 20, 30)
    levels = from_image(Image.fromarray(pixels))
    assert levels[:, 1, 2].tolist() == [10, 20, 30]
    assert to_image(levels).getpixel((2, 1)) == (10, 20, 30)
    palette = Image.fromarray(pixels).convert("P")
    assert from_image(palette).shape == (3, 4, 6)


def test_flaws() -> None:
    broken = torch.rand(3, 8, 8)
    broken[1, 2, 3] = torch.inf
    ramp = torch.linspace(0, 1, 64).reshape(1, 8, 8).repeat(3, 1, 1)
    nearly_black = torch.zeros(3, 8, 8)
    nearly_black[0, 0, 0] = 2 / 255
    pictures = [broken, nearly_black, torch.full((3, 8, 8), 0.7), ramp]
    assert batch_of(pictures).flags == ("nan", "black", "flat", "")
    red = torch.zeros(3, 8, 8)
    red[0] = torch.linspace(0, 1, 8)
    assert as_levels(red)[1] == ""


def test_texts() -> None:
    one = torch.rand(3, 8, 8)
    batch = batch_of([one, one], prompts=["a", "b"])
    assert batch.captions == batch.prompts == ("a", "b")
    assert batch_of([one], prompts=["a"], captions=["c"]).captions == ("c",)
    with pytest.raises(ScorerError, match="2 pictures and 1 captions"):
        batch_of([one, one], captions=["a"])


@pytest.mark.parametrize(
    "wrong",
    [
        [],
        [torch.rand(3, 8, 8), torch.rand(3, 8, 9)],
        [torch.rand(8, 8)],
        [torch.rand(4, 8, 8)],
        [torch.zeros(3, 8, 8, dtype=torch.int64)],
    ],
)
def test_what_is_no_batch(wrong: list[torch.Tensor]) -> None:
    with pytest.raises(ScorerError):
        batch_of(wrong)
