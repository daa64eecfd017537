"""What a dialect has no words for, and why: nothing is dropped without being named."""

from __future__ import annotations

import re
from collections.abc import Mapping

from sdmerge.adapters.lora.parts import MAGNITUDE, Parts, is_low_rank, is_row_magnitude, kind_of
from sdmerge.adapters.lora.spelling import Place, Spelling

# parts that only PEFT writes; LyCORIS and ComfyUI have others for the same, packed differently
_PEFT_ONLY = re.compile(r"lora_[AB]\b.*|lora_embedding_.*|ia3_l|b?oft_[RrSs](?:\.weight)?")


def cannot_say(learned: Mapping[str, Parts], spelling: Spelling) -> dict[str, str]:
    """The canonical weights whose parts the dialect cannot hold, each with a reason."""
    reasons = {key: _reason(key, parts, spelling) for key, parts in learned.items()}
    found = {key: why for key, why in reasons.items() if why}
    kept = {key: parts for key, parts in learned.items() if key not in found}
    return found | (_mixed(kept) if spelling.has_letters else _split_magnitudes(kept, spelling))


def _reason(key: str, parts: Parts, spelling: Spelling) -> str:
    places = spelling.places(key)
    if not places:
        return "no name"
    kind = kind_of(parts)
    if spelling.has_letters:
        if not is_low_rank(parts):
            return kind
        column = MAGNITUDE in parts and not is_row_magnitude(parts)
        return f"{kind} by column" if column else ""
    if any(_PEFT_ONLY.fullmatch(part) for part in parts):
        return f"PEFT's {kind}"
    if all(place.is_renamed for place in places):
        return ""
    return "" if _can_be_joined(parts, places) else f"{kind} in a fused weight"


def _can_be_joined(parts: Parts, places: tuple[Place, ...]) -> bool:
    turned = any(piece.transpose for place in places for piece in place.pieces)
    rows = MAGNITUDE not in parts or is_row_magnitude(parts)
    return is_low_rank(parts) and rows and not turned


def _mixed(learned: Mapping[str, Parts]) -> dict[str, str]:
    """Plain LoRAs in a network that has DoRAs: PEFT knows one kind per network."""
    networks = {key.partition(".")[0] for key, parts in learned.items() if MAGNITUDE in parts}
    return {
        key: "LoRA among DoRAs"
        for key, parts in learned.items()
        if MAGNITUDE not in parts and key.partition(".")[0] in networks
    }


def _split_magnitudes(learned: Mapping[str, Parts], spelling: Spelling) -> dict[str, str]:
    """DoRAs of some parts of a fused weight: the other parts have no magnitudes to write."""
    doras = {key for key, parts in learned.items() if MAGNITUDE in parts}
    return {
        key: "DoRA of a part of a fused weight"
        for key in learned
        if key in doras
        for place in spelling.places(key)
        if any(piece.source not in doras for piece in place.pieces)
    }
