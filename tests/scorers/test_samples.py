"""The samples' scorers: they keep the laws, agree between libraries, and rank what they should."""

from __future__ import annotations

import re
from itertools import product
from pathlib import Path

import open_clip
import pytest
import torch
from torch import Tensor

from samples.train.world import COLOURS, SIZES, STYLES, SUBJECTS, Picture, caption
from sdmerge.errors import ScorerError
from sdmerge.scorers import SCORERS
from sdmerge.scorers.oracle import load
from sdmerge.scoring.batch import batch_of
from sdmerge.scoring.choice import parse_choice
from sdmerge.scoring.loader import Loader
from sdmerge.scoring.panel import open_picture
from sdmerge.scoring.prompts import read_prompts
from sdmerge.testing import check_scorer

pytestmark = pytest.mark.filterwarnings("ignore")  # others' deprecations are not ours to mend

ROOT = Path(__file__).resolve().parents[2] / "samples"
LOADER = Loader()
CAPTIONS = ("浮世絵風、緑の背景に黒い丸", "a red circle on a blue background", "赤い星、青い背景",
            "ukiyo-e style, a small red torii on a white background")  # fmt: skip


def at(name: str) -> str:
    return str(ROOT / "scorers" / name)


@pytest.mark.parametrize(
    "choice",
    [
        f"clip,model={at('clip_a')}", f"clip_cosine,model={at('clip_b')}",
        f"clip_image,model={at('clip_a_open_clip')}", f"clip_iqa,model={at('clip_a')}",
        f"directional,model={at('clip_a')}", f"aesthetic,model={at('aesthetic')}",
        f"siglip2,model={at('clip_b')}", f"diversity,model={at('clip_a')}",
        f"oracle,model={at('oracle')}", f"oracle,model={at('oracle')},count=share",
    ],
)  # fmt: skip
def test_they_keep_the_laws(choice: str) -> None:
    check_scorer(choice, captions=CAPTIONS, loader=LOADER)


def scores(text: str, split: str = "test") -> Tensor:
    """Of the references, which show what the captions say."""
    lines = read_prompts(ROOT / "prompts" / f"{split}.jsonl")[:16]
    pictures = [open_picture(line.reference) for line in lines if line.reference]
    choice = parse_choice(text)
    batch = batch_of(pictures, captions=[line.caption for line in lines])
    return SCORERS[choice.scorer].open(LOADER, choice)(batch)


def test_transformers_and_open_clip_agree() -> None:
    ours = [scores(f"clip_cosine,model={at(name)}") for name in ("clip_a", "clip_a_open_clip")]
    assert float((ours[0] - ours[1]).abs().max()) < 1e-6
    assert float(ours[0].min()) > 0.8


def test_clip_b_is_what_open_clip_says() -> None:
    """With its own transform, tokenizer and model, from the picture's file to the cosine."""
    name = f"local-dir:{at('clip_b')}"
    model, _, transform = open_clip.create_model_and_transforms(name)
    lines = read_prompts(ROOT / "prompts" / "test.jsonl")[:16]
    shown = [open_picture(line.reference) for line in lines if line.reference]
    pixels = torch.stack([transform(picture) for picture in shown])
    words = open_clip.get_tokenizer(name)([line.caption for line in lines])
    with torch.inference_mode():
        seen = model.eval().encode_image(pixels, normalize=True)
        said = model.encode_text(words, normalize=True)
    wanted = (seen * said).sum(1).double()
    assert float((scores(f"clip_cosine,model={at('clip_b')}") - wanted).abs().max()) < 1e-6


def test_the_aesthetic_head_finds_its_clip() -> None:
    assert float(scores(f"aesthetic,model={at('aesthetic')}").mean()) > 9
    named = scores(f"aesthetic,model={at('aesthetic')},clip={at('clip_a_open_clip')}")
    assert torch.allclose(named, scores(f"aesthetic,model={at('aesthetic')}"), atol=1e-4)


def test_the_oracle_accepts_what_is_drawn() -> None:
    assert scores(f"oracle,model={at('oracle')}").tolist() == [1.0] * 16


def test_the_oracle_reads_every_caption_of_its_world() -> None:
    witness = load(LOADER, model=at("oracle"))
    every = product(SUBJECTS, COLOURS, COLOURS, SIZES, STYLES, ("en", "ja"), (0, 1))
    for shape, fore, back, size, style, language, order in every:
        said = caption(Picture(shape, fore, back, size), language, style=style, order=order)  # pyright: ignore
        wanted = {"shape": shape, "foreground": fore, "background": back, "style": style}
        assert witness.wanted(said) == wanted, said
    with pytest.raises(ScorerError, match=re.escape("cannot read the caption 'a cat'")):
        witness.wanted("a cat")
