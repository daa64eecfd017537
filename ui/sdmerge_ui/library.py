"""All that the app takes from the library: the one file of it that imports `sdmerge`."""

from __future__ import annotations

from sdmerge.confine import Confined
from sdmerge.errors import Cancelled, InputError, RecipeError, ResourceError, SdmergeError
from sdmerge.inventory import Entry, Inventory
from sdmerge.jobs import Event, Job, Jobs, Preview, Request, Wish
from sdmerge.jobs.again import again
from sdmerge.jobs.clean import Removable, removable, remove
from sdmerge.jobs.lineage import Ancestor, read_lineage
from sdmerge.manifest import MethodSpec, manifest
from sdmerge.params import Param, Range, Scalar
from sdmerge.plan import Plan, plan
from sdmerge.recipe import Recipe, parse_recipe, recipe_id, to_yaml
from sdmerge.recipe.aliases import aliases
from sdmerge.recipe.edit import address_of, documents, edited, text_of
from sdmerge.recipe.output import LORA
from sdmerge.recipe.presets import PRESETS, row
from sdmerge.sample.grid import Grid, find_grids, picture_path, read_cells, read_grid
from sdmerge.sample.picture import read_record
from sdmerge.sample.settings import SAMPLING
from sdmerge.sample.sweep.axis import MOST, Side, read_axis
from sdmerge.sample.sweep.extent import Extent, extent_of, seconds_per_cell
from sdmerge.scoring.choice import parse_choice
from sdmerge.scoring.spec import scorer_manifest
from sdmerge.sinks.provenance import read_origin
from sdmerge.tensors.space import readable
from sdmerge.votes import Booth, rank, read_votes
from sdmerge.workspace import Workspace

__all__ = [
    "LORA",
    "MOST",
    "PRESETS",
    "SAMPLING",
    "Ancestor",
    "Booth",
    "Cancelled",
    "Confined",
    "Entry",
    "Event",
    "Extent",
    "Grid",
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
    "Removable",
    "Request",
    "ResourceError",
    "Scalar",
    "SdmergeError",
    "Side",
    "Wish",
    "Workspace",
    "address_of",
    "again",
    "aliases",
    "documents",
    "edited",
    "extent_of",
    "find_grids",
    "manifest",
    "parse_choice",
    "parse_recipe",
    "picture_path",
    "plan",
    "rank",
    "read_axis",
    "read_cells",
    "read_grid",
    "read_lineage",
    "read_origin",
    "read_record",
    "read_votes",
    "readable",
    "recipe_id",
    "removable",
    "remove",
    "row",
    "scorer_manifest",
    "seconds_per_cell",
    "text_of",
    "to_yaml",
]
