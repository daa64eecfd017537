"""The factor between up @ down and the change of a weight: alpha / rank, from wherever it stands.

kohya puts an alpha beside every module; PEFT puts its configuration into the header
(`lora_adapter_metadata`) or into adapter_config.json. Without either the factor is 1.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from pathlib import Path
from typing import cast

from sdmerge.adapters.lora.names import ModuleName
from sdmerge.errors import FileError
from sdmerge.tensors.strict_json import load_object

METADATA_KEY = "lora_adapter_metadata"
CONFIG_NAME = "adapter_config.json"
# These start from a base they have changed themselves: their factors do not fit the base they name.
_CHANGED_BASE = ("pissa", "olora", "corda", "loftq")


class Scaling:
    """The settings of one file's modules; an empty one is that of a file without any."""

    def __init__(self, settings: Mapping[str, object], where: Path) -> None:
        """`settings` by name, with the component before it where the file has several."""
        self._settings = settings
        self._where = str(where)
        for name, value in settings.items():
            if name.rpartition(".")[2] == "init_lora_weights" and _changes_base(value):
                what = f"{value} factors are relative to a base of their own: not read yet"
                hint = "Save it from PEFT with path_initial_model_for_weight_conversion."
                raise FileError(what, where=self._where, hint=hint)

    def scale(self, name: ModuleName, rank: int | None, alpha: float | None) -> float:
        """The factor of a module of this rank; an alpha of its own comes before any setting.

        A module without a rank in the file has the one that is stated; its own alpha means nothing.
        """
        if alpha is not None:
            return alpha / rank if alpha and rank else 1.0
        stated = self._number(name, "r")
        if stated is None:
            return 1.0
        rank = rank or round(stated)
        if stated != rank:
            what = f"'{name.path}' has rank {rank}, its configuration says {stated:g}"
            raise FileError(
                what, where=self._where, hint="File and configuration do not belong together."
            )
        # PEFT's LoHa and LoKr call it alpha
        total = self._number(name, "lora_alpha") or self._number(name, "alpha") or stated
        return total / math.sqrt(rank) if self.setting(name, "use_rslora") else total / rank

    def setting(self, name: ModuleName, setting: str) -> object:
        """What is stated for the module's component, or else for all; None if nothing is."""
        component = name.prefix.partition(".")[0]
        return self._settings.get(f"{component}.{setting}", self._settings.get(setting))

    def _number(self, name: ModuleName, setting: str) -> float | None:
        """`r` or an alpha for a module: by the pattern that fits it, else for all."""
        patterns = self.setting(name, "rank_pattern" if setting == "r" else "alpha_pattern")
        value = self.setting(name, setting)
        for pattern, special in cast("Mapping[str, object]", patterns or {}).items():
            if self._fits(pattern, name.path):
                value = special
                break
        if value is not None and not isinstance(value, int | float):
            raise FileError(f"'{setting}' is {value!r}, not a number", where=self._where)
        return value

    def _fits(self, pattern: str, path: str) -> bool:
        """Whether PEFT's pattern, a regular expression for the path's end, means this module."""
        try:
            return re.match(rf"(?:.*\.)?(?:{pattern})$", path) is not None
        except re.error as error:
            what = f"'{pattern}' is not a regular expression: {error}"
            raise FileError(what, where=self._where) from None


def scaling_of(metadata: Mapping[str, str], path: Path, config: Path | None) -> Scaling:
    """The settings a file carries, or else those of the adapter_config.json beside it."""
    if (text := metadata.get(METADATA_KEY)) is not None:
        return Scaling(load_object(text.encode(), what=METADATA_KEY, where=str(path)), path)
    if config is not None:
        return Scaling(load_object(config.read_bytes(), what="it", where=str(config)), config)
    return Scaling({}, path)


def _changes_base(value: object) -> bool:
    return isinstance(value, str) and value.lower().startswith(_CHANGED_BASE)
