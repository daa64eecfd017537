"""All that the app takes from the library: the one file of it that imports `sdmerge`."""

from __future__ import annotations

from sdmerge.batch import Named, names, points
from sdmerge.cli.forms import Asked, form_of
from sdmerge.confine import Confined
from sdmerge.errors import Cancelled, InputError, RecipeError, ResourceError, SdmergeError
from sdmerge.evolve.export.following import Following, Seen
from sdmerge.evolve.export.importances import importances
from sdmerge.evolve.genes import positions
from sdmerge.evolve.ledger import STUDY, is_claimed, read_description
from sdmerge.evolve.numbers import LIMITS, NUMBERS
from sdmerge.evolve.opening import engines, study_from, study_in
from sdmerge.evolve.run.study import Study
from sdmerge.evolve.run.suggesting import suggest
from sdmerge.evolve.statistics import split_prompts
from sdmerge.hosts import Host
from sdmerge.hosts import Kind as FolderKind
from sdmerge.inventory import Entry, Inventory
from sdmerge.jobs import Event, Job, Jobs, Preview, Request, Wish
from sdmerge.jobs.again import again
from sdmerge.jobs.clean import Removable, removable, remove
from sdmerge.jobs.lineage import Ancestor, read_lineage
from sdmerge.manifest import MethodSpec, manifest
from sdmerge.params import FILES, Param, Range, Scalar
from sdmerge.plan import Plan, plan
from sdmerge.recipe import Recipe, parse_recipe, recipe_id, to_yaml
from sdmerge.recipe.aliases import aliases
from sdmerge.recipe.dice import rolled
from sdmerge.recipe.edit import address_of, documents, edited, rewritten, text_of
from sdmerge.recipe.model import GROUPINGS
from sdmerge.recipe.output import LORA
from sdmerge.recipe.presets import PRESETS, row
from sdmerge.sample.grid import Grid, find_grids, picture_path, read_cells, read_grid
from sdmerge.sample.picture import read_record
from sdmerge.sample.settings import SAMPLING
from sdmerge.sample.sweep.axis import MOST, Side, read_axis
from sdmerge.sample.sweep.extent import Extent, extent_of, seconds_per_cell
from sdmerge.scoring.choice import choice_from, parse_choice, spelled
from sdmerge.scoring.prompts import read_prompts
from sdmerge.scoring.spec import scorer_manifest
from sdmerge.sinks.provenance import read_origin
from sdmerge.targets import kinds_of, place_in
from sdmerge.tensors.space import readable
from sdmerge.votes import Booth, rank, read_votes
from sdmerge.workspace import SAMPLES, Workspace
from sdmerge.written import write

__all__ = [
    "FILES",
    "GROUPINGS",
    "LIMITS",
    "LORA",
    "MOST",
    "NUMBERS",
    "PRESETS",
    "SAMPLES",
    "SAMPLING",
    "STUDY",
    "Ancestor",
    "Asked",
    "Booth",
    "Cancelled",
    "Confined",
    "Entry",
    "Event",
    "Extent",
    "FolderKind",
    "Following",
    "Grid",
    "Host",
    "InputError",
    "Inventory",
    "Job",
    "Jobs",
    "MethodSpec",
    "Named",
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
    "Seen",
    "Side",
    "Study",
    "Wish",
    "Workspace",
    "address_of",
    "again",
    "aliases",
    "choice_from",
    "documents",
    "edited",
    "engines",
    "extent_of",
    "find_grids",
    "form_of",
    "importances",
    "is_claimed",
    "kinds_of",
    "manifest",
    "names",
    "parse_choice",
    "parse_recipe",
    "picture_path",
    "place_in",
    "plan",
    "points",
    "positions",
    "rank",
    "read_axis",
    "read_cells",
    "read_description",
    "read_grid",
    "read_lineage",
    "read_origin",
    "read_prompts",
    "read_record",
    "read_votes",
    "readable",
    "recipe_id",
    "removable",
    "remove",
    "rewritten",
    "rolled",
    "row",
    "scorer_manifest",
    "seconds_per_cell",
    "spelled",
    "split_prompts",
    "study_from",
    "study_in",
    "suggest",
    "text_of",
    "to_yaml",
    "write",
]
