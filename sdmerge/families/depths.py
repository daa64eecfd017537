"""Depths: how many layers each transformer of a UNet has, in the words of diffusers' config.

`transformer_layers_per_block` has a number per level, or a list with one per transformer of the
level; `reverse_transformer_layers_per_block` says the same of the way up, where that differs. The
middle has as many layers as the last entry says, or its first number.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sdmerge.errors import FamilyError
from sdmerge.families.family import Config

_DOWN, _UP = "transformer_layers_per_block", "reverse_transformer_layers_per_block"
_TRANSFORMER = re.compile(
    r"(?:unet\.)?(?:(down|up)_blocks\.(\d+)|mid_block)\.attentions\.(\d+)\."
    r"(?:transformer_blocks\.(\d+)\.)?"
)
_MIDDLE = "mid_block.attentions.0.transformer_blocks."

Entry = int | list[int]


@dataclass
class _Depths:
    """Per level the layers of each transformer, none where the level has no transformers."""

    down: list[list[int]]
    middle: list[int]
    up: list[list[int]]


def tied_depths(stacks: Iterable[str]) -> Iterator[tuple[str, str]]:
    """Pairs of stacks for which a config has one number: the middle, and the last on the way down.

    Only where the last level has transformers, as in SDXL.
    """
    known = list(stacks)
    deepest = any(one.startswith("up_blocks.0.") for one in known)
    matches = [match for one in known if (match := _TRANSFORMER.match(one))]
    levels = [int(match[2]) for match in matches if match[1] == "down"]
    if deepest and levels and _MIDDLE in known:
        yield _MIDDLE, f"down_blocks.{max(levels)}.attentions.0.transformer_blocks."


def with_depths(config: Mapping[str, Any], keys: Iterable[str]) -> Config:
    """A UNet's config as it is for a UNet of these keys, where it states other depths.

    Depths that no config can state are a FamilyError.
    """
    plain: Config = dict(config)
    if "down_block_types" not in config or "cross_attention_dim" not in config:
        return plain
    found = _found(keys, len(config["down_block_types"]))
    if not any(found.down) or _stated(config, found) == found:
        return plain
    down = [_entry(level) for level in found.down]
    if not found.down[-1]:
        down[-1] = _entry(found.middle)
    elif found.middle and found.middle[0] != found.down[-1][0]:
        what = f"the middle has {found.middle[0]} layers, the level above {found.down[-1][0]}"
        raise FamilyError(what, hint="diffusers' config has one number for both.")
    up = [_entry(level) for level in found.up]
    plain[_DOWN] = down
    mirrored = [_entry(level) for level in reversed(found.down)]
    if up == mirrored and not any(isinstance(entry, list) for entry in down):
        plain.pop(_UP, None)
    else:
        plain[_UP] = up
    return plain


def _entry(level: Sequence[int]) -> Entry:
    if not level:
        return 1
    return level[0] if len(set(level)) == 1 else list(level)


def _found(keys: Iterable[str], levels: int) -> _Depths:
    found = _Depths([[] for _ in range(levels)], [], [[] for _ in range(levels)])
    sides = {"down": found.down, "up": found.up}
    for key in keys:
        if match := _TRANSFORMER.match(key):
            level = sides[match[1]][int(match[2])] if match[1] else found.middle
            place = int(match[3])
            level += [0] * (place + 1 - len(level))
            if match[4]:
                level[place] = max(level[place], int(match[4]) + 1)
    return found


def _stated(config: Mapping[str, Any], found: _Depths) -> _Depths:
    """What the config says of the transformers that were found."""
    given: Any = config.get(_DOWN, 1)
    down: list[Entry] = [given] * len(found.down) if isinstance(given, int) else list(given)
    up: list[Entry] = list(config.get(_UP) or reversed(down))
    return _Depths(
        [_level(entry, level) for entry, level in zip(down, found.down, strict=False)],
        _level(down[-1], found.middle),
        [_level(entry, level) for entry, level in zip(up, found.up, strict=False)],
    )


def _level(entry: Entry, like: Sequence[int]) -> list[int]:
    """The entry for as many transformers as were found."""
    return [entry] * len(like) if isinstance(entry, int) else list(entry)[: len(like)]
