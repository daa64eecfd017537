"""Kinds of adapters: what each makes of a module's tensors. A kind is a file and a row here."""

from __future__ import annotations

from sdmerge.adapters.lora.kinds.dora import MAGNITUDES, Dora, decomposed
from sdmerge.adapters.lora.kinds.edit import Delta, Edit, Kind, LowRank
from sdmerge.adapters.lora.kinds.full import FULL
from sdmerge.adapters.lora.kinds.glora import GLORA
from sdmerge.adapters.lora.kinds.ia3 import IA3
from sdmerge.adapters.lora.kinds.keys import Keys
from sdmerge.adapters.lora.kinds.loha import LOHA
from sdmerge.adapters.lora.kinds.lokr import LOKR
from sdmerge.adapters.lora.kinds.lora import EMBEDDING, LORA
from sdmerge.adapters.lora.kinds.oft import OFT
from sdmerge.adapters.lora.kinds.peft_boft import PEFT_BOFT
from sdmerge.adapters.lora.kinds.peft_oft import PEFT_OFT

__all__ = ["KINDS", "Delta", "Dora", "Edit", "Keys", "Kind", "LowRank", "edits"]

KINDS: tuple[Kind, ...] = (
    LORA, EMBEDDING, LOHA, LOKR, FULL, GLORA, IA3, OFT, PEFT_OFT, PEFT_BOFT,
)  # fmt: skip


def edits(keys: Keys) -> tuple[Edit, ...]:
    """What a module does to its weight and its bias; what makes no sense together is an error."""
    made = [edit for kind in KINDS if kind.parts & keys.by_part.keys() for edit in kind.build(keys)]
    for part in ("weight", "bias"):
        if sum(edit.part == part for edit in made) > 1:
            parts = ", ".join(sorted(keys.by_part))
            raise keys.corrupt(f"module '{keys.name}' changes its {part} twice: {parts}")
    if not any(part in keys for part in MAGNITUDES):
        if not made:
            keys.require("up")
        return tuple(made)
    if not any(edit.part == "weight" for edit in made):
        keys.require("up")
    return tuple(decomposed(edit, keys) if edit.part == "weight" else edit for edit in made)
