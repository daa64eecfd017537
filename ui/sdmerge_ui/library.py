"""All that the app takes from the library: the one file of it that imports `sdmerge`."""

from __future__ import annotations

from sdmerge.confine import Confined
from sdmerge.errors import Cancelled, InputError, RecipeError, ResourceError, SdmergeError
from sdmerge.inventory import Entry, Inventory
from sdmerge.jobs import Event, Job, Jobs, Preview, Request, Wish
from sdmerge.manifest import MethodSpec, manifest
from sdmerge.params import Param, Range, Scalar
from sdmerge.plan import Plan, plan
from sdmerge.recipe import Recipe, parse_recipe, recipe_id, to_yaml
from sdmerge.recipe.edit import address_of, documents, text_of
from sdmerge.recipe.output import LORA
from sdmerge.recipe.presets import PRESETS, row
from sdmerge.sample.picture import read_record
from sdmerge.sinks.provenance import read_origin
from sdmerge.tensors.space import readable
from sdmerge.workspace import Workspace

__all__ = [
    "LORA",
    "PRESETS",
    "Cancelled",
    "Confined",
    "Entry",
    "Event",
    "InputError",
    "Inventory",
    "Job",
    "Jobs",
    "MethodSpec",
    "Param",
    "Plan",
    "Preview",
    "Range",
    "Recipe",
    "RecipeError",
    "Request",
    "ResourceError",
    "Scalar",
    "SdmergeError",
    "Wish",
    "Workspace",
    "address_of",
    "documents",
    "manifest",
    "parse_recipe",
    "plan",
    "read_origin",
    "read_record",
    "readable",
    "recipe_id",
    "row",
    "text_of",
    "to_yaml",
]
