"""A study made of arrays, for tests of what is shown of one."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from sdmerge.evolve.export.history import History, Test, Trial, Validation, Warned
from sdmerge.evolve.genes import Gene, candidate_at

BLOCKS = ("IN01", "IN02", "IN04", "M00", "OUT03", "OUT04", "OUT05")


def genes(per_block: bool = True) -> tuple[Gene, ...]:
    found = [
        Gene("models[日本語].parameters.weight", "float", 0.5, 0.0, 1.5),
        Gene("sampler.steps", "int", 4, 2, 16),
        Gene("parameters.density", "float", 0.2, 0.01, 1.0, log=True),
        Gene(
            "components.text_encoder.take", "choice", "base", choices=("base", "日本語", "ukiyoe")
        ),
    ]
    if per_block:
        found += [Gene(f"models[{name}].parameters.weight/{block}", "float", 0.8, 0.0, 1.5)
                  for name in ("ukiyoe", "$x_1$") for block in BLOCKS]  # fmt: skip
    return tuple(found)


def trials(own: Sequence[Gene], dice: np.random.Generator, objectives: int) -> list[Trial]:
    """Twelve generations of twelve that come nearer to a place, and their incumbents."""
    goal = dice.uniform(0.2, 0.8, len(own))
    found = [
        Trial(0, -1, {}, (0.20, 0.4)[:objectives], "parent", "日本語"),
        Trial(0, -1, {}, (0.31, 0.2)[:objectives], "parent", "ukiyoe"),
        Trial(0, -1, {}, (0.52, 0.35)[:objectives], "soup", "uniform soup"),
        Trial(0, -1, {}, (0.54, 0.3)[:objectives], "sweep", "task arithmetic 0.8"),
    ]
    best = -1.0
    for generation in range(12):
        for _ in range(12):
            place = goal + dice.normal(0, 0.5 / (1 + generation), len(own))
            score = 0.8 - 0.3 * float(np.abs(np.clip(place, 0, 1) - goal)[:3].mean())
            score += float(dice.normal(0, 0.01))
            number = sum(one.kind == "candidate" for one in found)
            candidate = candidate_at(own, place.tolist())
            other = 0.9 - score + float(dice.normal(0, 0.05))
            scores = (score, other)[:objectives] if dice.uniform() > 0.05 else ()
            found.append(Trial(number, generation, candidate, scores))
            best = max(best, score if scores else best)
        found.append(Trial(number, generation, candidate, (best, 0.2)[:objectives], "incumbent"))
    return found


def history(*, objectives: int = 1, per_block: bool = True, tested: bool = True) -> History:
    dice = np.random.default_rng(0)
    own = genes(per_block)
    level = dice.normal(0, 0.08, 32)
    found = trials(own, dice, objectives)

    def scores(mean: float) -> dict[str, tuple[float, ...]]:
        return {name: tuple((mean + level + dice.normal(0, 0.03, 32)).tolist())
                for name in ("clip_a", "clip_b")}  # fmt: skip

    validations = [Validation(-1, "parent", scores(0.3), name="日本語"),
                   Validation(-1, "soup", scores(0.5), name="uniform soup")]  # fmt: skip
    for generation in range(2, 12, 3):
        trial = next(one for one in found if one.generation == generation)
        mean = 0.6 + 0.15 * (1 - np.exp(-generation / 4))
        kinds = (("incumbent", trial.number, mean), ("centre", None, mean - 0.01))
        validations += [Validation(generation, kind, scores(at), trial.candidate, number)
                        for kind, number, at in kinds]  # fmt: skip
    names = ("clip_a", "front two")[:objectives]
    made = History(
        "浮世絵 <b>study</b>", own, tuple(found), tuple(validations), names, ("clip_a",),
        ("clip_b", "oracle"), "clip_b", engine="cma-es", seed=3,
        alarms=(Warned(8, "since generation 2 search prompts gained +0.1, validation +0.0"),),
    )  # fmt: skip
    return replace(made, test=a_test()) if tested else made


def a_test(runs: int = 1) -> Test:
    """The winner well above its parents, a little above the soup, equal to task arithmetic."""
    dice = np.random.default_rng(1)
    level = dice.normal(0, 0.1, 64)
    means = {"winner": 0.8, "日本語": 0.2, "ukiyoe": 0.3, "uniform soup": 0.77,
             "task arithmetic 0.8": 0.8}  # fmt: skip
    kinds = dict(zip(means, ("winner", "parent", "parent", "soup", "sweep"), strict=True))
    scores = {
        name: {column: tuple((mean + level + dice.normal(0, 0.04, 64)).tolist())
               for column in ("clip_a", "clip_b", "oracle")}
        for name, mean in means.items()
    }  # fmt: skip
    return Test(runs, scores, kinds, 128, {"日本語": 3})
