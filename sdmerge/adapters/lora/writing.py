"""Writing: what was learned of canonical weights, as a LoRA in a dialect.

    learned = {"unet.conv_in.weight": parts_of(factors, shape), …}
    encoded = encode(learned, family, specs, "kohya", dtype="F16")
    write_lora(path, encoded, metadata)

`write_lora` is in `saving.py`.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor

from sdmerge.adapters.lora.binding import some
from sdmerge.adapters.lora.parts import (
    ALPHA,
    DOWN,
    MAGNITUDE,
    UP,
    Parts,
    is_low_rank,
    join,
    rank_of,
    shaped,
)
from sdmerge.adapters.lora.saying import cannot_say
from sdmerge.adapters.lora.settings import Adapted, adapter_config
from sdmerge.adapters.lora.spelling import Dialect, Place, Spelling, shared_places
from sdmerge.errors import FamilyError
from sdmerge.families.family import Family
from sdmerge.tensors.dtypes import TORCH
from sdmerge.tensors.spec import TensorSpec

_LETTERS = {DOWN: "lora_A.weight", UP: "lora_B.weight", MAGNITUDE: "lora_magnitude_vector"}
# PEFT's patterns are regular expressions that may match a name's end: "^" makes them match all of
# it. Text encoders do without: transformers 5.6 took "text_model." from before their names.
_WHOLE = "^"


@dataclass(frozen=True, slots=True)
class Encoded:
    """A LoRA in a dialect: its tensors, PEFT's settings by network, and what was left out and why.

    Tensors of the peft dialect have "NETWORK.base_model.model." before their names.
    """

    dialect: Dialect
    tensors: Mapping[str, Tensor]
    settings: Mapping[str, Mapping[str, object]]
    left_out: Mapping[str, str]  # by canonical key
    modules: int


def encode(
    learned: Mapping[str, Parts],
    family: Family,
    specs: Mapping[str, TensorSpec],
    dialect: Dialect,
    *,
    dtype: str | None = None,
    partial: bool = False,
) -> Encoded:
    """`learned` by canonical key, in a dialect.

    specs: The model's canonical tensors, whole for a main component of fused names (`Spelling`).
    dtype: What factors are stored in ("F16"), as they are if not given. Alpha is left alone.
    partial: Leave out what the dialect has no words for; else that is a FamilyError.
    """
    spelling = Spelling(family, specs, dialect)
    left_out = cannot_say(learned, spelling)
    if left_out and not partial:
        raise FamilyError(_sentence(left_out, len(learned), dialect), hint=_HINT)
    kept = {key: parts for key, parts in learned.items() if key not in left_out}
    tensors: dict[str, Tensor] = {}
    places = shared_places(spelling, kept)
    for place in places.values():
        for name, value in _named(_parts_at(place, kept), spelling).items():
            tensors[f"{place.module}.{name}"] = _stored(value, dtype, is_alpha=name == ALPHA)
    settings = _settings(kept, family) if spelling.has_letters else {}
    return Encoded(dialect, tensors, settings, left_out, len(places))


def _parts_at(place: Place, learned: Mapping[str, Parts]) -> Parts:
    if place.is_renamed:
        return shaped(learned[place.pieces[0].source], place.shape)
    sources = dict.fromkeys(piece.source for piece in place.pieces)
    return join({key: learned[key] for key in sources if key in learned}, place.pieces, place.shape)


def _named(parts: Parts, spelling: Spelling) -> Parts:
    """The parts by the dialect's suffixes."""
    if spelling.has_letters:
        made = {_LETTERS[name]: value for name, value in parts.items() if name != ALPHA}
        if MAGNITUDE in parts:
            ones = (1,) * (parts[DOWN].ndim - 2)
            shape = (1, -1, *ones) if ones else (-1,)
            made[_LETTERS[MAGNITUDE]] = parts[MAGNITUDE].reshape(shape)
        return made
    if is_low_rank(parts) and ALPHA not in parts:
        return {**parts, ALPHA: torch.tensor(float(rank_of(parts)))}
    return parts


def _stored(value: Tensor, dtype: str | None, *, is_alpha: bool) -> Tensor:
    if dtype is None or is_alpha or not value.is_floating_point():
        return value.contiguous()
    return value.to(TORCH[dtype]).contiguous()


def _settings(learned: Mapping[str, Parts], family: Family) -> dict[str, dict[str, object]]:
    """PEFT's settings by network."""
    networks: dict[str, dict[str, Adapted]] = {}
    for key, parts in learned.items():
        network, _, name = key.removesuffix(".weight").partition(".")
        anchor = "" if family.component(network).wrapper else _WHOLE
        networks.setdefault(network, {})[anchor + name] = Adapted.of(name, parts)
    return {network: adapter_config(modules) for network, modules in networks.items()}


_HINT = "--dialect kohya or comfyui can hold most kinds; --partial leaves these out."


def _sentence(left_out: Mapping[str, str], count: int, dialect: Dialect) -> str:
    whys = Counter(left_out.values())
    shown = ", ".join(f"{why} ({number})" for why, number in whys.items())
    names = some(key.removesuffix(".weight") for key in left_out)
    return f"{len(left_out)} of {count} modules cannot be said in {dialect}: {shown}; {names}"
