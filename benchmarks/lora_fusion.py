"""A subject and a style in one model: every way of fusing them, on the sample models.

`python -m benchmarks.lora_fusion --record` fuses the LoRA `torii`, a subject, with the LoRA `pop`
and with the checkpoint `ukiyoe`, two styles, by every method with its defaults, and draws a torii
in colours that no training has seen together. The oracle says whether it is a torii in the right
colours (content) and in the right style. `--quick` draws few pictures.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from benchmarks.fusion_report import record
from samples.oracle import Oracle, load_oracle
from samples.train.clip import Clip
from samples.train.clip_batches import CLIP_TOKENS
from samples.train.draw import draw
from samples.train.measure import FEW, RESAMPLES, USUAL, Sampler, generate
from samples.train.scores import load_resnet
from samples.train.tokenizer import token_ids
from samples.train.world import HELD_OUT, TRAINING, Picture, caption
from sdmerge.plan import plan
from sdmerge.recipe import recipe_from_data
from sdmerge.sample.pipeline import build_pipeline
from sdmerge.sample.probe import pipelines

SAMPLES = Path(__file__).resolve().parents[1] / "samples"
TORII = str(SAMPLES / "loras" / "torii.safetensors")
FEW_STEP = str(SAMPLES / "loras" / "few_step.safetensors")
STYLES = {
    "pop": str(SAMPLES / "loras" / "pop.safetensors"),
    "ukiyoe": str(SAMPLES / "models" / "ukiyoe"),
}
METHODS: Mapping[str, tuple[str, Mapping[str, Any]]] = {
    "direct sum": ("task_arithmetic", {"normalize": False}),
    "average": ("task_arithmetic", {"normalize": True}),
    "ties": ("ties", {}),
    "dare_ties": ("dare_ties", {}),
    "knots": ("knots", {}),
    "tsv_merge": ("tsv_merge", {}),
    "np_lora": ("np_lora", {}),
    "k_lora": ("k_lora", {}),
    "zip_gate": ("zip_gate", {}),
    "ssr_merge": ("ssr_merge", {}),
    "ziplora": ("ziplora", {}),
}
COLOURS = sorted({colours for _, *colours in map(list, HELD_OUT) for colours in [tuple(colours)]})
SHOTS = 2
"""Pictures of each pair of colours."""

Row = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Judge:
    """Says of pictures of a torii how good they are, in a style."""

    oracle: Oracle
    clip: Clip
    shown: Sequence[Picture]

    @torch.no_grad()
    def row(self, images: Tensor, style: str) -> Row:
        """Every figure with its interval."""
        said = self.oracle.judge(images)
        subject = [
            shape == picture.shape and front == picture.foreground and back == picture.background
            for picture, shape, front, back in zip(
                self.shown, said.shape, said.foreground, said.background, strict=True
            )
        ]
        drawn, _ = draw(self.shown, style, torch.Generator().manual_seed(7))
        texts = [caption(picture, "en", style=style) for picture in self.shown]
        seen = self.clip.images(images)
        columns = {
            "content": torch.tensor(subject).float(),
            "style": torch.tensor([one == style for one in said.style]).float(),
            "CLIP-T": (seen * self.clip.texts(token_ids(texts, CLIP_TOKENS))).sum(1),
            "CLIP-I": (seen * self.clip.images(drawn)).sum(1),
        }
        columns["both"] = columns["content"] * columns["style"]
        return _intervals({name: self._by_colours(one) for name, one in columns.items()})

    def _by_colours(self, column: Tensor) -> Tensor:
        """The means over the pictures of each pair of colours, which are alike."""
        return column.reshape(-1, SHOTS).mean(1)


def _intervals(columns: Mapping[str, Tensor]) -> Row:
    """Means with 95 % bootstrap intervals over the pairs of colours, and the harmonic mean."""
    count = len(columns["content"])
    dice = torch.Generator().manual_seed(0)
    rows = torch.randint(count, (RESAMPLES, count), generator=dice)
    drawn = {name: one[rows].mean(1) for name, one in columns.items()}
    means = {name: one.mean() for name, one in columns.items()}
    for values in (drawn, means):
        values["harmonic"] = _harmonic(values["content"], values["style"])
    bounds = torch.tensor([0.025, 0.975])
    return {
        name: [round(float(x), 3) for x in (means[name], *one.quantile(bounds))]
        for name, one in drawn.items()
    }


def _harmonic(content: Tensor, style: Tensor) -> Tensor:
    """2·content·style / (content + style): one of them alone is worth nothing."""
    return 2 * content * style / (content + style).clamp(min=1e-9)


def prompts() -> tuple[list[str], list[str]]:
    """What shows the subject and what shows the style; of triples that were trained on."""
    triples = TRAINING[:: len(TRAINING) // 8][:8]
    return (
        [caption(Picture("torii", *colours), "en") for _, *colours in triples],
        [caption(Picture(*triple), "en") for triple in triples],
    )


def fused(method: str, parameters: Mapping[str, Any], models: Sequence[str], log: Row) -> Any:
    """The pipeline of the base with these models fused into it."""
    takes_prompts = method in {"zip_gate", "ssr_merge", "ziplora"}
    own = [{"prompts": one} if takes_prompts else {} for one in prompts()]
    entries = [
        {"model": model, "name": name, "parameters": parameter}
        for model, name, parameter in zip(models, ("subject", "style"), own, strict=False)
    ]
    recipe = {
        "merge_method": method, "base_model": str(SAMPLES / "models" / "base"),
        "models": entries, "parameters": dict(parameters),
    }  # fmt: skip
    return build_pipeline(
        plan(recipe_from_data(recipe)), dtype=torch.float32, probe=pipelines,
        progress=lambda done: log.update(done.log),
    )  # fmt: skip


def measure(colours: Sequence[tuple[str, str]]) -> tuple[Row, dict[str, Tensor]]:
    """Every row, and the pictures of each."""
    shown = [Picture("torii", *pair) for pair in colours for _ in range(SHOTS)]
    judge = Judge(load_oracle(), load_resnet(), shown)
    asked = [caption(picture, "en") for picture in shown]
    figures: Row = {}
    pictures: dict[str, Tensor] = {}
    for style, model in STYLES.items():
        alone = {"torii alone": [TORII], f"{style} alone": [model]}
        solo = {name: ("task_arithmetic", {}, models) for name, models in alone.items()}
        both = {name: (*how, [TORII, model]) for name, how in METHODS.items()}
        for name, (method, parameters, models) in {**solo, **both}.items():
            started, log = time.process_time(), Row()
            pipeline = fused(method, parameters, models, log)
            seconds = round(time.process_time() - started, 1)
            images = generate(pipeline, asked)
            figures[f"{style} | {name}"] = row = judge.row(images, style)
            row["seconds"], row["log"] = seconds, {key: [*ends(one)] for key, one in log.items()}
            pictures[f"{style} | {name}"] = images
            say(f"{style} | {name}: {json.dumps(row)}")
    return figures, pictures


def ends(numbers: Sequence[float]) -> tuple[float, float]:
    """The first number and the last."""
    return round(numbers[0], 4), round(numbers[-1], 4)


def few_steps(count: int) -> Row:
    """The style pop in four steps without guidance, with and without the acceleration LoRA."""
    shown = [Picture(*triple) for triple in HELD_OUT[:count] for _ in range(SHOTS)]
    judge = Judge(load_oracle(), load_resnet(), shown)
    asked = [caption(picture, "en") for picture in shown]
    found: Row = {}
    rows: dict[str, tuple[list[str], float, Sampler]] = {
        "pop, 8 steps with guidance": ([STYLES["pop"]], 1.0, USUAL),
        "pop": ([STYLES["pop"]], 1.0, FEW),
        "pop + 1.0 few_step": ([STYLES["pop"], FEW_STEP], 1.0, FEW),
        "0.8 pop + 1.0 few_step": ([STYLES["pop"], FEW_STEP], 0.8, FEW),
    }
    for name, (models, strength, sampler) in rows.items():
        entries = [
            {"model": model, "parameters": {"weight": weight}}
            for model, weight in zip(models, (strength, 1.0), strict=False)
        ]
        recipe = {
            "merge_method": "task_arithmetic", "base_model": str(SAMPLES / "models" / "base"),
            "models": entries, "parameters": {"normalize": False},
        }  # fmt: skip
        pipeline = build_pipeline(plan(recipe_from_data(recipe)), dtype=torch.float32)
        found[name] = judge.row(generate(pipeline, asked, sampler), "pop")
        say(f"{name}: {json.dumps(found[name])}")
    return found


def say(line: str) -> None:
    """Tell how far it is."""
    print(line, file=sys.stderr, flush=True)  # noqa: T201


def main() -> None:
    """Measure, print the figures as JSON, and record them."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--record", action="store_true", help="write the README, JSON and grid")
    parser.add_argument("--quick", action="store_true", help="a few pictures only")
    options = parser.parse_args()
    started = time.process_time()
    fusion, pictures = measure(COLOURS[:4] if options.quick else COLOURS)
    figures = {"fusion": fusion, "few_step": few_steps(4 if options.quick else len(HELD_OUT))}
    figures["cpu_minutes"] = round((time.process_time() - started) / 60, 1)
    print(json.dumps(figures, indent=1))  # noqa: T201
    if options.record and not options.quick:
        record(figures, pictures)


if __name__ == "__main__":
    main()
