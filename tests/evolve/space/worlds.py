"""Recipes on the sample models, planned and searched."""

from __future__ import annotations

import textwrap
from collections.abc import Mapping
from typing import Any

import pytest
from tiny import ROOT

from sdmerge.adapters.opened import OpenedModels
from sdmerge.errors import SdmergeError
from sdmerge.evolve.space import Space, space_of
from sdmerge.params import Scalar
from sdmerge.plan import Combine, Plan, plan
from sdmerge.recipe import Recipe, parse_recipe

OPENED = OpenedModels()
BLOCKS = (*(f"IN{n:02}" for n in range(12)), "M00", *(f"OUT{n:02}" for n in range(12)))

HEAD = """
    merge_method: task_arithmetic
    base_model: samples/models/base
"""
"""The recipe's first two lines."""
TWO = f"""{HEAD}
    models:
      - {{model: samples/models/japanese, name: ja, parameters: {{weight: JA}}}}
      - {{model: samples/models/ukiyoe, name: uk, parameters: {{weight: UK}}}}
""".replace("\n\n", "\n")


def read(text: str) -> Recipe:
    return parse_recipe(textwrap.dedent(text).strip(), "r.yaml", ROOT)


def two(ja: str = "1.0", uk: str = "1.0", more: str = "") -> Recipe:
    """Two models with weights, and whatever else on further lines."""
    return read(TWO.replace("JA", ja).replace("UK", uk) + textwrap.indent(more, "    "))


def planned(recipe: Recipe) -> Plan:
    return plan(recipe, opened=OPENED)


def space(recipe: Recipe) -> Space:
    return space_of(recipe, planned)


def names(found: Space) -> list[str]:
    return [gene.name for gene in found.genes]


def weights(of: Plan, name: str = "weight") -> dict[str, dict[str, Scalar]]:
    """What each model's parameter is for each tensor that is merged."""
    return {
        task.key: dict(zip(task.node.names, values(task.node, name), strict=True))
        for task in of.tasks
        if isinstance(task.node, Combine)
    }


def values(node: Combine, name: str) -> Any:
    found: Mapping[str, Any] = dict(node.values)
    return found[name]


def refused(recipe: Recipe) -> SdmergeError:
    with pytest.raises(SdmergeError) as raised:
        space(recipe)
    return raised.value
