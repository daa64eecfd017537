"""Families: what a model is. Names first, numbers never.

A family is a file of data here and a frozen table made by `families.build`; nothing outside this
package knows a family by name.
"""

from __future__ import annotations

from sdmerge.families.configs import (
    config_of,
    model_index,
    scheduler_of,
    sizes_of,
    tokenizer_config,
)
from sdmerge.families.export import component_map, single_file_map
from sdmerge.families.family import DIFFUSERS, SINGLE_FILE, Component, Family, Layout, Variant
from sdmerge.families.keymap import KeyMap, Piece
from sdmerge.families.recognise import Recognition, recognise, recognise_folder
from sdmerge.families.registry import FAMILIES, Families

__all__ = [
    "DIFFUSERS",
    "FAMILIES",
    "SINGLE_FILE",
    "Component",
    "Families",
    "Family",
    "KeyMap",
    "Layout",
    "Piece",
    "Recognition",
    "Variant",
    "component_map",
    "config_of",
    "model_index",
    "recognise",
    "recognise_folder",
    "scheduler_of",
    "single_file_map",
    "sizes_of",
    "tokenizer_config",
]
