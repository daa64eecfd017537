"""Do methods that watch the models merge the samples better than an average? Denoising loss says.

`python -m benchmarks.probed` merges japanese and ukiyoe with linear, fisher and regmean, and takes
each merge's denoising loss on latents that each parent draws for prompts that no fit has seen, from
the same noise at the same times. `--samples N` sets how many pictures the fits see, `--judged N`
how many latents of each parent are judged.

With --samples 6 --judged 12, on the latents of japanese and of ukiyoe: linear 0.540 and 0.693,
fisher 0.888 and 0.524, so fisher leans to ukiyoe and is worse on the whole.
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import Any

import torch

from sdmerge.plan import plan
from sdmerge.recipe import recipe_from_data
from sdmerge.sample.denoising import draw_latent, loss_on
from sdmerge.sample.draw import Shot
from sdmerge.sample.pipeline import build_pipeline
from sdmerge.sample.probe import GUIDANCE, pipelines

SAMPLES = Path(__file__).resolve().parents[1] / "samples"
SHAPES = ("cross", "circle", "star", "triangle")
PARENTS = ("japanese", "ukiyoe")
STEPS = 8


def main() -> None:
    """Print the mean loss of every merge and parent, as JSON."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--samples", type=int, default=8)
    parser.add_argument("--judged", type=int, default=16)
    options = parser.parse_args()
    seen = [prompt for parent in PARENTS for prompt in prompts(parent)[::2]]
    fitted = {"prompts": seen, "samples": options.samples, "steps": STEPS}
    judged = {parent: latents(parent, options.judged) for parent in PARENTS}
    found: dict[str, dict[str, float]] = {}
    for method, parameters in (("linear", {}), ("fisher", fitted), ("regmean", fitted)):
        pipeline = merged(method, parameters)
        found[method] = {parent: mean_loss(pipeline, judged[parent]) for parent in PARENTS}
        print(f"{method}: {json.dumps(found[method])}", file=sys.stderr, flush=True)  # noqa: T201
    print(json.dumps(found, indent=1))  # noqa: T201


def prompts(parent: str) -> list[str]:
    """Prompts in the words that a parent knows; even ones are for fits, odd ones for judging."""
    if parent == "japanese":
        return (SAMPLES / "prompts" / "first.txt").read_text("utf-8").split("\n")[:8]
    grounds = (("red", "black"), ("blue", "white"))
    return [
        f"a {colour} {shape} on a {ground} background"
        for colour, ground in grounds
        for shape in SHAPES
    ]


def merged(method: str, parameters: dict[str, Any]) -> Any:
    """The pipeline of both parents merged; text encoders included."""
    models = [{"model": str(SAMPLES / "models" / parent)} for parent in PARENTS]
    recipe = {"merge_method": method, "models": models, "parameters": parameters}
    return build_pipeline(plan(recipe_from_data(recipe)), dtype=torch.float32, probe=pipelines)


def latents(parent: str, count: int) -> list[tuple[torch.Tensor, Shot]]:
    """What a parent draws for prompts that fits do not see."""
    recipe = {"merge_method": "linear", "models": [{"model": str(SAMPLES / "models" / parent)}]}
    pipeline = build_pipeline(plan(recipe_from_data(recipe)), dtype=torch.float32)
    unseen = prompts(parent)[1::2]
    shots = [Shot(unseen[n % len(unseen)], 1000 + n) for n in range(count)]
    return [(draw_latent(pipeline, shot, STEPS, GUIDANCE), shot) for shot in shots]


def mean_loss(pipeline: Any, judged: list[tuple[torch.Tensor, Shot]]) -> float:
    """The mean denoising loss on latents, each at the time that its seed draws."""
    with torch.no_grad():
        losses = [float(loss_on(pipeline, latent, shot)) for latent, shot in judged]
    return sum(losses) / len(losses)


if __name__ == "__main__":
    main()
