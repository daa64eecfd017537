"""The sample world: who may see what, and whether it is drawn the same again."""

import torch
from torch import Generator

from samples.train.dataset import GENERATOR_SETS, ORACLE_SETS
from samples.train.draw import PLAIN, WOODBLOCK, draw
from samples.train.world import (
    COLOURS,
    EVERY,
    HELD_OUT,
    SHAPES,
    STYLES,
    TRAINING,
    Picture,
    caption,
    sample_pictures,
)


def test_held_out_triples_are_apart_and_cover_every_shape() -> None:
    assert len(HELD_OUT) == 64
    assert len(EVERY) == 448
    assert not set(HELD_OUT) & set(TRAINING)
    assert {shape for shape, _, _ in HELD_OUT} == set(SHAPES)


def test_training_pictures_are_never_held_out() -> None:
    assert not GENERATOR_SETS.keys() & ORACLE_SETS.keys()
    shown = sample_pictures(2000, TRAINING, seed=1)
    assert not {picture.triple for picture in shown} & set(HELD_OUT)


def test_same_dice_draw_the_same_pictures() -> None:
    shown = sample_pictures(4, EVERY, seed=3)
    for style in STYLES:
        first, again = (draw(shown, style, Generator().manual_seed(5)) for _ in range(2))
        assert torch.equal(first[0], again[0])
        assert torch.equal(first[1], again[1])
        assert first[0].shape == (4, 3, 64, 64)
        assert first[0].abs().max() <= 1


def test_mask_lies_where_the_colour_is() -> None:
    images, masks = draw([Picture("ring", "red", "white")], "plain", Generator().manual_seed(0))
    red = (images[:, :1] - images[:, 1:2]) > 1
    assert torch.equal(red, masks > 0.9) or (red ^ (masks > 0.9)).float().mean() < 0.02


def test_colours_stay_apart_in_both_palettes() -> None:
    for palette in (PLAIN, WOODBLOCK):
        for one in COLOURS:
            for other in COLOURS:
                gap = max(abs(a - b) for a, b in zip(palette[one], palette[other], strict=True))
                assert one == other or gap > 64, (one, other)


def test_captions() -> None:
    picture = Picture("star", "red", "blue", "small")
    assert caption(picture, "en") == "a small red star on a blue background"
    assert caption(picture, "en", order=1) == "blue background, small red star"
    assert caption(picture, "ja") == "青い背景に小さな赤い星"
    assert caption(picture, "ja", style="ukiyoe") == "浮世絵風、青い背景に小さな赤い星"
    orange = caption(Picture("heart", "orange", "black"), "en", style="pop")
    assert orange == "pop art style, an orange heart on a black background"
