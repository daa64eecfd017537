"""Recipe: YAML ⇄ typed, with grammar checks that know file and line. Imports no torch.

`nodes` keeps line numbers, `values` reads what a parameter may be, `read` a whole recipe, `model`
holds the types, `address` finds `models[ja].parameters.weight`, `write` gives the canonical form.
"""

from sdmerge.recipe.model import (
    Applied,
    ComponentRule,
    Gradient,
    Grouped,
    Lbw,
    Mbw,
    ModelRef,
    Output,
    Preset,
    Recipe,
    Rule,
    Search,
    Setting,
    Stage,
    Value,
)
from sdmerge.recipe.read import load_recipe, parse_recipe, recipe_from_data
from sdmerge.recipe.write import recipe_id, to_data, to_yaml

__all__ = [
    "Applied",
    "ComponentRule",
    "Gradient",
    "Grouped",
    "Lbw",
    "Mbw",
    "ModelRef",
    "Output",
    "Preset",
    "Recipe",
    "Rule",
    "Search",
    "Setting",
    "Stage",
    "Value",
    "load_recipe",
    "parse_recipe",
    "recipe_from_data",
    "recipe_id",
    "to_data",
    "to_yaml",
]
