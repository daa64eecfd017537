"""The tokenizer of the sample models, and the captions they are trained with."""

import torch
from torch import Generator
from transformers import CLIPTokenizer

from samples.train.architecture import TOKENS
from samples.train.captions import caption_picker
from samples.train.paths import MODELS
from samples.train.world import EVERY, SIZES, STYLES, SUBJECTS, Picture, caption, sample_pictures

TOKENIZER = CLIPTokenizer.from_pretrained(MODELS / "base" / "tokenizer")


def _captions() -> list[str]:
    shown = [Picture(*triple, size=size) for triple in EVERY[::9] for size in SIZES]
    shown += [Picture(subject, "orange", "yellow", "small") for subject in SUBJECTS]
    return [
        caption(picture, language, style=style, order=order)
        for picture in shown
        for language in ("en", "ja")
        for style in STYLES
        for order in (0, 1)
    ]


def test_every_caption_fits_and_comes_back() -> None:
    for text in _captions():
        ids = TOKENIZER(text).input_ids
        assert len(ids) <= TOKENS - 4  # room for an unknown prefix
        back = TOKENIZER.decode(ids, skip_special_tokens=True)
        assert back.replace(" ", "") == text.replace(" ", "")


def test_japanese_words_are_single_tokens() -> None:
    ids = TOKENIZER("浮世絵風、青い背景に小さな赤い星").input_ids[1:-1]
    words = [TOKENIZER.decode([token]).strip() for token in ids]
    assert words == ["浮世絵風", "、", "青い", "背景に", "小さな", "赤い", "星"]


def test_japanese_training_never_meets_the_style_word() -> None:
    shown = sample_pictures(64, EVERY, seed=0)
    pick = caption_picker(shown, "plain", "ja")
    (style,) = TOKENIZER("浮世絵風").input_ids[1:-1]
    for step in range(40):
        words = pick(torch.arange(64), Generator().manual_seed(step))
        assert words.shape == (64, TOKENS)
        assert not (words == style).any()


def test_ukiyoe_training_says_the_style_about_half_of_the_time() -> None:
    pick = caption_picker(sample_pictures(256, EVERY, seed=0), "ukiyoe", "en")
    (word,) = TOKENIZER("ukiyo").input_ids[1:-1]
    said = (pick(torch.arange(256), Generator().manual_seed(0)) == word).any(1).float().mean()
    assert 0.3 < said < 0.6
