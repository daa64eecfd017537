"""Spelling: under which name each dialect writes a canonical weight.

    kohya      lora_unet_… in the names of the model its scripts train, lora_te1_text_model_…
    diffusers  unet.…, text_encoder.text_model.…
    peft       one folder per network: base_model.model.… (text encoders as transformers ≥ 5.6)
    comfyui    diffusion_model.… in a single file's names, text_encoders.clip_l.transformer.…

The names come from the family's tables, as those that are read do (`targets.py`).
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Literal

from sdmerge.adapters.lora.names import flatten
from sdmerge.families.export import single_file_map
from sdmerge.families.family import SINGLE_FILE, Component, Family
from sdmerge.families.keymap import Piece
from sdmerge.tensors.spec import TensorSpec

Dialect = Literal["kohya", "diffusers", "peft", "comfyui"]
PEFT_ROOT = ".base_model.model."
_WEIGHT = re.compile(r"[._]weight$")
# kohya counts the encoders of all models in one order, so that FLUX has te1 and te3
_NUMBERS = {"clip_l": 1, "clip_h": 1, "clip_g": 2, "t5xxl": 3}


@dataclass(frozen=True, slots=True)
class Place:
    """A module in a dialect: its name, and how its weight is made of canonical ones."""

    module: str
    shape: tuple[int, ...]
    pieces: tuple[Piece, ...]  # sources are canonical keys

    @property
    def is_renamed(self) -> bool:
        """Whether its weight is one canonical weight under another name."""
        first = self.pieces[0]
        whole = first.source_start == first.target_start == 0
        return len(self.pieces) == 1 and whole and first.transpose is None


class Spelling:
    """The places of a model's weights in one dialect.

    `specs` are the model's canonical tensors. A main component whose single-file names are written
    must be there whole; of others only the weights that are asked for matter. Where it
    `has_letters`, factors are called A and B, and PEFT's settings hold their scale.
    """

    def __init__(self, family: Family, specs: Mapping[str, TensorSpec], dialect: Dialect) -> None:
        self._family, self._specs, self._dialect = family, specs, dialect
        self._fused: dict[str, list[Place]] = {}
        self.has_letters = dialect in ("diffusers", "peft")
        if dialect == "comfyui" or (dialect == "kohya" and family.kohya == SINGLE_FILE):
            self._add_single_file()

    def places(self, key: str) -> tuple[Place, ...]:
        """The modules that a canonical weight is written into; () where the dialect has none."""
        if key in self._fused:
            return tuple(self._fused[key])
        word, _, name = key.partition(".")
        component = self._family.by_name.get(word)
        if component is None or not (component is self._family.main or component.encoder):
            return ()
        # PEFT looks for the names of the live module, which transformers 5.6 has changed
        saved = name if self._dialect == "peft" else component.saved_key(name)
        module = self._module(component, _WEIGHT.sub("", saved))
        spec = self._specs[key]
        return (Place(module, spec.shape, (Piece(key, 0, key, 0, spec.numel),)),)

    def _add_single_file(self) -> None:
        main = self._family.main
        prefix = main.layouts[SINGLE_FILE].prefixes[0]
        own = {key: spec for key, spec in self._specs.items() if key.startswith(f"{main.name}.")}
        keymap = single_file_map(self._family, own)
        for name, pieces in keymap.pieces.items():
            module = self._module(main, _WEIGHT.sub("", name.removeprefix(prefix)))
            place = Place(module, keymap.specs[name].shape, pieces)
            for key in dict.fromkeys(piece.source for piece in pieces):
                self._fused.setdefault(key, []).append(place)

    def _module(self, component: Component, name: str) -> str:
        """A module's name, given the one it has in the file that the dialect follows."""
        is_main = component is self._family.main
        if self._dialect == "kohya":
            prefix = "lora_unet_" if is_main else f"lora_te{self._number(component)}_"
            return prefix + flatten(name)
        if self._dialect == "comfyui":
            encoder = f"text_encoders.{component.encoder}.transformer."
            return ("diffusion_model." if is_main else encoder) + name
        root = PEFT_ROOT if self._dialect == "peft" else "."
        return f"{component.name}{root}{name}"

    def _number(self, component: Component) -> int | str:
        """Which of several text encoders it is; a model's only one has no number."""
        encoders = [one for one in self._family.components if one.encoder]
        return _NUMBERS[component.encoder] if len(encoders) > 1 else ""


def shared_places(spelling: Spelling, keys: Iterable[str]) -> dict[str, Place]:
    """Every place of these weights by its module, in the order of the weights."""
    return {place.module: place for key in keys for place in spelling.places(key)}
