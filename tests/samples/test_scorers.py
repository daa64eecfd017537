"""The shipped scorers: they load where they should, agree, and know the world."""

import json
from pathlib import Path

import numpy as np
import open_clip
import pytest
import torch
from PIL import Image
from safetensors.torch import load_file
from torch import Generator, Tensor
from transformers import CLIPModel, CLIPProcessor

from samples.oracle import load_oracle
from samples.train.aesthetic import load_aesthetic, worsen
from samples.train.clip import Clip, ResNetClip, VitClip
from samples.train.draw import draw
from samples.train.paths import PROMPTS, REFERENCES, SCORERS
from samples.train.prompts import splits
from samples.train.world import HELD_OUT, TRAINING, Picture, caption

SHOWN = [Picture(*triple) for triple in HELD_OUT]
CAPTIONS = [caption(picture, "ja", style="ukiyoe") for picture in SHOWN]


def _images() -> list[Image.Image]:
    images, _ = draw(SHOWN, "ukiyoe", Generator().manual_seed(1))
    pixels = ((images + 1) * 127.5).round().byte().permute(0, 2, 3, 1).numpy()
    return [Image.fromarray(picture) for picture in pixels]


def _through_transformers(folder: str) -> tuple[Tensor, Tensor]:
    processor = CLIPProcessor.from_pretrained(SCORERS / folder)
    clip: Clip = VitClip(CLIPModel.from_pretrained(SCORERS / folder).eval())
    words = processor(text=CAPTIONS, padding="max_length", max_length=32, return_tensors="pt")
    pixels = processor(images=_images(), return_tensors="pt").pixel_values
    with torch.no_grad():
        return clip.images(pixels), clip.texts(words.input_ids)


def _through_open_clip(folder: str) -> tuple[Tensor, Tensor]:
    name = f"local-dir:{SCORERS / folder}"
    model, _, transform = open_clip.create_model_and_transforms(name)
    clip: Clip = ResNetClip(model.eval())
    with torch.no_grad():
        pixels = torch.stack([transform(image) for image in _images()])
        return clip.images(pixels), clip.texts(open_clip.get_tokenizer(name)(CAPTIONS))


def _found(images: Tensor, texts: Tensor) -> float:
    return ((images @ texts.T).argmax(1) == torch.arange(len(texts))).float().mean().item()


def test_clip_a_is_the_same_for_transformers_and_open_clip() -> None:
    ours, theirs = _through_transformers("clip_a"), _through_open_clip("clip_a_open_clip")
    for one, other in zip(ours, theirs, strict=True):
        assert one.dtype == other.dtype == torch.float32
        assert (one - other).abs().max() < 1e-6
    assert _found(*ours) >= 0.95


def test_clip_b_is_another_architecture() -> None:
    assert _found(*_through_open_clip("clip_b")) >= 0.95
    vit = load_file(SCORERS / "clip_a_open_clip" / "open_clip_model.safetensors")
    resnet = load_file(SCORERS / "clip_b" / "open_clip_model.safetensors")
    assert "visual.class_embedding" in vit
    assert "visual.layer1.0.conv1.weight" in resnet


def test_the_aesthetic_head_prefers_the_cleaner_picture() -> None:
    clip = VitClip(CLIPModel.from_pretrained(SCORERS / "clip_a").eval())
    head, dice = load_aesthetic(), Generator().manual_seed(2)
    images, _ = draw(SHOWN, "plain", dice)
    with torch.no_grad():
        scores = [
            head(clip.images(worsen(images, torch.full((64,), level), dice).clamp(-1, 1))).mean()
            for level in (0.0, 0.2, 0.4, 0.8)
        ]
    assert scores == sorted(scores, reverse=True)
    assert scores[0] - scores[-1] > 3


def test_aesthetic_head_has_laions_names() -> None:
    names = load_file(SCORERS / "aesthetic" / "model.safetensors").keys()
    assert names == {f"layers.{n}.{kind}" for n in (0, 2, 4, 6, 7) for kind in ("weight", "bias")}


def _lines(split: str) -> list[dict[str, str]]:
    text = (PROMPTS / f"{split}.jsonl").read_text("utf-8")
    return [json.loads(line) for line in text.splitlines()]


def test_prompt_files_share_no_triple() -> None:
    parts = splits()
    assert not {*parts["search"]} & {*parts["validation"]}
    assert {*parts["search"], *parts["validation"]} <= {*TRAINING}
    assert parts["test"] == HELD_OUT
    prompts = [line["prompt"] for split in parts for line in _lines(split)]
    assert len(prompts) == len({*prompts}) == sum(map(len, parts.values()))


def _opened(path: Path) -> Tensor:
    with Image.open(path) as picture:
        pixels = torch.from_numpy(np.array(picture.convert("RGB")))
    return pixels.permute(2, 0, 1) / 127.5 - 1


@pytest.mark.parametrize("split", ["search", "validation", "test"])
def test_references_show_what_the_captions_say(split: str) -> None:
    oracle, pictures = load_oracle(), [Picture(*triple) for triple in splits()[split]]
    lines = _lines(split)
    assert [line["caption"] for line in lines] == [
        caption(picture, "ja", style="ukiyoe") for picture in pictures
    ]
    files = [PROMPTS / line["reference"] for line in lines]
    assert {path.resolve() for path in files} == {*(REFERENCES / split).resolve().iterdir()}
    images = torch.stack([_opened(path) for path in files])
    said = oracle.judge(images)
    right = [
        (s, f, b, kind) == (*picture.triple, "ukiyoe")
        for s, f, b, kind, picture in zip(
            said.shape, said.foreground, said.background, said.style, pictures, strict=True
        )
    ]
    assert sum(right) >= 0.98 * len(right)
