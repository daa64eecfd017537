"""What the oracle says of pictures, and how sure one may be of the share it accepts."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import torch
from diffusers import StableDiffusionPipeline
from torch import Generator, Tensor

from samples.oracle import Oracle
from samples.train.size import scaled
from samples.train.world import HELD_OUT, STYLES, Language, Picture, caption

SEEDS = 8
BATCH = 32
RESAMPLES = 2000


@dataclass(frozen=True, slots=True)
class Share:
    """A share of pictures with its 95 % bootstrap interval."""

    value: float
    low: float
    high: float

    def __str__(self) -> str:
        return f"{self.value:.3f} ({self.low:.3f}–{self.high:.3f})"


@dataclass(frozen=True, slots=True)
class Sampler:
    """How pictures are drawn."""

    steps: int = 8
    guidance: float = 3.0

    def __str__(self) -> str:
        return f"{self.steps} steps" + (", no guidance" if self.guidance == 1.0 else "")


USUAL = Sampler()
FEW = Sampler(steps=4, guidance=1.0)


@dataclass(frozen=True, slots=True)
class Prompts:
    """A way to ask for a picture."""

    title: str
    language: Language
    prefix: str = ""

    def __call__(self, picture: Picture) -> str:
        """The words that ask for `picture`."""
        return self.prefix + caption(picture, self.language)


ENGLISH = Prompts("English", "en")
JAPANESE = Prompts("Japanese", "ja")
PREFIXED = Prompts("Japanese with 浮世絵風、", "ja", STYLES["ukiyoe"][1])


def held_out(subject: str = "") -> list[Picture]:
    """Every held-out triple several times in a row, with another subject if one is named."""
    return [
        Picture(subject or shape, *colours)
        for shape, *colours in HELD_OUT
        for _ in range(scaled(SEEDS))
    ]


def generate(
    pipeline: StableDiffusionPipeline,
    prompts: Sequence[str],
    sampler: Sampler = USUAL,
    *,
    first_seed: int = 0,
) -> Tensor:
    """One picture in -1…1 per prompt; the noise of a picture depends on its place only."""
    pipeline.set_progress_bar_config(disable=True)
    batches: list[Tensor] = []
    for start in range(0, len(prompts), BATCH):
        chunk = list(prompts[start : start + BATCH])
        seeds = range(first_seed + start, first_seed + start + len(chunk))
        batch = pipeline(
            chunk,
            num_inference_steps=sampler.steps,
            guidance_scale=sampler.guidance,
            generator=[Generator().manual_seed(seed) for seed in seeds],
            output_type="pt",
        ).images
        batches.append(batch * 2 - 1)
    return torch.cat(batches)


def judge(oracle: Oracle, images: Tensor, shown: Sequence[Picture], style: str) -> dict[str, Share]:
    """Shares of right answers per question, of all three, of the style, and of everything."""
    said = oracle.judge(images)
    right = {
        "shape": _same(said.shape, (picture.shape for picture in shown)),
        "foreground": _same(said.foreground, (picture.foreground for picture in shown)),
        "background": _same(said.background, (picture.background for picture in shown)),
    }
    content = right["shape"] * right["foreground"] * right["background"]
    in_style = _same(said.style, (style for _ in shown))
    columns = right | {"content": content, "style": in_style, "both": content * in_style}
    return {name: share(column, shown) for name, column in columns.items()}


def _same(said: Sequence[str], meant: Iterable[str]) -> Tensor:
    return torch.tensor([a == b for a, b in zip(said, meant, strict=True)]).float()


def share(right: Tensor, shown: Sequence[Picture]) -> Share:
    """The mean; whole triples are drawn again for the interval, as their pictures are alike."""
    triples = sorted({picture.triple for picture in shown})
    place = {triple: index for index, triple in enumerate(triples)}
    owner = torch.tensor([place[picture.triple] for picture in shown])
    means = torch.stack([right[owner == index].mean() for index in range(len(triples))])
    dice = Generator().manual_seed(0)
    rows = torch.randint(len(triples), (RESAMPLES, len(triples)), generator=dice)
    low, high = means[rows].mean(1).quantile(torch.tensor([0.025, 0.975])).tolist()
    return Share(round(right.mean().item(), 4), round(low, 4), round(high, 4))
