"""What the miniature compares: fixed merges, and searches over more and more of a recipe."""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

SAMPLES = Path(__file__).resolve().parents[2] / "samples"
BASE = str(SAMPLES / "models" / "base")
POOL = ("japanese", "ukiyoe", "distilled")
_FEW = [few for count in (1, 2, 3) for few in itertools.combinations(POOL, count)]
LAMBDAS = (0.2, 0.4, 0.6, 0.8, 1.0, 1.2)
SAMPLING: Mapping[str, Any] = {"steps": 2, "guidance_scale": 1.0}
"""As the distilled model is used; with four steps or guidance nobody would need it here."""

_RANGE = (-0.3, 1.5)
_START = 0.5
_TYPES = ("attn", "mlp", None)
_DEPTHS = (
    "in00-in02", "in03-in05", "in06-in08", "in09-in11", "m00",
    "out00-out02", "out03-out05", "out06-out08", "out09-out11", None,
)  # fmt: skip
"""Ten groups; the last is what stands outside the UNet's blocks, the text encoder above all."""

Weights = Mapping[str, Any]
Data = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Fixed:
    """A merge without a search. With several recipes, the best on the search prompts counts."""

    name: str
    recipes: Mapping[str, Data]


@dataclass(frozen=True, slots=True)
class Searched:
    """A search, once per seed of the optimiser."""

    name: str
    recipe: Data | list[Data]
    engine: Mapping[str, Any]
    seeds: int = 1
    fitness: Sequence[str] = ("clip",)
    changes: Mapping[str, Any] | None = None
    """What it has in `evolve` that the others have not."""


def merged(method: str, weights: Weights, **parameters: Any) -> Data:
    """The models of the pool with their weights, by a method."""
    models = [
        {"model": str(SAMPLES / "models" / name), "parameters": {"weight": weight}}
        for name, weight in weights.items()
    ]
    return {
        "merge_method": method, "base_model": BASE, "models": models, "parameters": parameters
    }  # fmt: skip


def alone(name: str) -> Data:
    """A parent as it is."""
    model = {"model": str(SAMPLES / "models" / name)}
    return {"merge_method": "passthrough", "models": [model]}


def mark(per: Sequence[str | None] = (None,), span: tuple[float, float] = _RANGE) -> Any:
    """A search mark, one gene for each filter."""
    found = {"search": list(span), "init": _START}
    if len(per) == 1:
        return found
    return [{"filter": one, "value": found} if one else {"value": found} for one in per]


def searched(per: Sequence[str | None] = (None,), pool: Sequence[str] = POOL) -> Data:
    """Task arithmetic with weights to be found."""
    return merged("task_arithmetic", {name: mark(per) for name in pool})


def convex() -> Data:
    """An average of all four models per group of blocks: weights of 0 to 1 that sum to 1."""
    models = []
    for name in ("base", *POOL):
        rules = [
            {**({"filter": one} if one else {}),
             "value": {"search": [0.0, 1.0], "init": 0.25, "simplex": one or "rest"}}
            for one in _DEPTHS
        ]  # fmt: skip
        models.append({"model": str(SAMPLES / "models" / name), "parameters": {"weight": rules}})
    return {"merge_method": "linear", "models": models, "parameters": {"normalize": False}}


def layered(stage: Data) -> list[Data]:
    """A merge, and then a gain for each kind of branch on the way down, in the middle and up."""
    found = {"search": [0.0, 1.5], "init": 1.0}
    rules = [{"filter": one, "value": found} for one in ("in00-in11", "m00", "out00-out11")]
    gains = {
        "merge_method": "branch_gain", "models": [{"model": "merged"}],
        "parameters": dict.fromkeys(("attn1", "attn2", "ff"), rules),
    }  # fmt: skip
    return [{"name": "merged", **stage}, gains]


def fixed_rows() -> list[Fixed]:
    """Parents, averages and untuned methods; λ of task arithmetic is the best of six."""
    every = dict.fromkeys(POOL, 1.0)
    spoiled = {**every, "distractor": 1.0}
    return [
        *(Fixed(name, {"": alone(name)}) for name in ("base", *POOL, "distractor")),
        Fixed("uniform soup", {"": _equal(POOL, 1 / len(POOL))}),
        # a greedy soup is one of these
        Fixed("best of all soups", {"+".join(few): _equal(few, 1 / len(few)) for few in _FEW}),
        Fixed("slerp (japanese, ukiyoe)", {"": _slerp()}),
        Fixed("japanese + ukiyoe", {"": merged("task_arithmetic", dict.fromkeys(POOL[:2], 1.0))}),
        Fixed("task arithmetic, one λ", {f"{x:g}": _equal(POOL, x) for x in LAMBDAS}),
        Fixed("ties", {"": merged("ties", every)}),
        Fixed("dare_ties", {"": merged("dare_ties", every)}),
        Fixed("uniform soup with the distractor", {"": _equal(spoiled, 1 / len(spoiled))}),
        Fixed("task arithmetic with the distractor, one λ",
              {f"{x:g}": _equal(spoiled, x) for x in LAMBDAS}),
    ]  # fmt: skip


def searched_rows() -> list[Searched]:
    """The searches; those that the result rests on with three seeds."""
    cma = {"name": "cma-es"}
    return [
        Searched("random, 3 genes", searched(), {"name": "random"}, seeds=3),
        Searched("CMA-ES, 3 genes", searched(), cma, seeds=3),
        Searched("CMA-ES, 9 genes", searched(_TYPES), cma, seeds=3),
        Searched("CMA-ES, 30 genes", searched(_DEPTHS), cma),
        Searched("CMA-ES, convex, 40 genes", convex(), cma),
        Searched("CMA-ES with the distractor, 4 genes", searched(pool=(*POOL, "distractor")),
                 cma, seeds=3),
        Searched("layers alone, 9 genes", layered(_equal(POOL[:2], 1.0)), cma),
        Searched("weights and layers, 12 genes", layered(searched()), cma),
        Searched("M2N2, 9 genes", searched(_TYPES), {"name": "m2n2"}),
        Searched("NSGA-II, 3 genes", searched(), {"name": "nsga2"},
                 fitness=("clip", "clip_image")),
        Searched("CMA-ES, 9 genes, 8 prompts and one noise", searched(_TYPES), cma,
                 changes={"prompts": "few", "redraw_every": 0}),
    ]  # fmt: skip


def _equal(pool: Sequence[str] | Weights, weight: float) -> Data:
    return merged("task_arithmetic", dict.fromkeys(pool, weight))


def _slerp() -> Data:
    models = [{"model": str(SAMPLES / "models" / name)} for name in POOL[:2]]
    return {
        "merge_method": "slerp", "base_model": models[0]["model"], "models": models,
        "parameters": {"t": 0.5},
    }  # fmt: skip
