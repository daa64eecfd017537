"""sdmerge: merge diffusion models.

    from sdmerge import FileSink, load_recipe, run
    from sdmerge.plan import plan

    run(plan(load_recipe(Path("recipe.yaml"))), FileSink(Path("out.safetensors")))

Names are loaded when they are used, so that `import sdmerge` costs nothing. Functions that are
called like their module (`plan`, `verify`, `method`) are imported from it.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from sdmerge.adapters import live_source, open_model
    from sdmerge.errors import SdmergeError
    from sdmerge.families import FAMILIES, recognise
    from sdmerge.live import LiveMerge
    from sdmerge.merge import Progress, run, stream
    from sdmerge.method import METHODS
    from sdmerge.plan import Plan, Report
    from sdmerge.recipe import Recipe, load_recipe, parse_recipe, recipe_from_data
    from sdmerge.sinks import DictSink, FileSink, FolderSink, LiveSink
    from sdmerge.workspace import Workspace, find_workspace

_HOMES = {
    "sdmerge.adapters": ("live_source", "open_model"),
    "sdmerge.errors": ("SdmergeError",),
    "sdmerge.families": ("FAMILIES", "recognise"),
    "sdmerge.live": ("LiveMerge",),
    "sdmerge.merge": ("Progress", "run", "stream"),
    "sdmerge.methods": ("METHODS",),
    "sdmerge.plan": ("Plan", "Report"),
    "sdmerge.recipe": ("Recipe", "load_recipe", "parse_recipe", "recipe_from_data"),
    "sdmerge.sinks": ("DictSink", "FileSink", "FolderSink", "LiveSink"),
    "sdmerge.workspace": ("Workspace", "find_workspace"),
}
_HOME_OF = {name: module for module, names in _HOMES.items() for name in names}

__all__ = [
    "FAMILIES",
    "METHODS",
    "DictSink",
    "FileSink",
    "FolderSink",
    "LiveMerge",
    "LiveSink",
    "Plan",
    "Progress",
    "Recipe",
    "Report",
    "SdmergeError",
    "Workspace",
    "find_workspace",
    "live_source",
    "load_recipe",
    "open_model",
    "parse_recipe",
    "recipe_from_data",
    "recognise",
    "run",
    "stream",
]


def __getattr__(name: str) -> Any:
    """The public name, from the module that has it."""
    if name not in _HOME_OF:
        raise AttributeError(f"module 'sdmerge' has no attribute '{name}'")
    return getattr(importlib.import_module(_HOME_OF[name]), name)
