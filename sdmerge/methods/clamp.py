"""A model held within the range that others span."""

from __future__ import annotations

import torch

from sdmerge.method import Delta, Deltas, method, total
from sdmerge.params import Fraction


@method(title="Clamp", paper="https://github.com/ljleb/sd-mecha")
def clamp(deltas: Deltas, *, stiffness: Fraction = 0.0) -> Delta:
    """Hold base_model, number by number, between the smallest and the largest of the models.

    Against what a merge overshoots: the merge is base_model, its parents are the models.

    stiffness: 0 is the whole range; 1 the range from the model next below their average to the next
        above it.
    """
    low, high = deltas.amin(0), deltas.amax(0)
    if stiffness:
        average = total(deltas) / len(deltas)
        above = torch.where(deltas >= average, deltas, high).amin(0)
        below = torch.where(deltas <= average, deltas, low).amax(0)
        low = (1 - stiffness) * low + stiffness * below
        high = (1 - stiffness) * high + stiffness * above
    return torch.minimum(low.clamp(min=0.0), high)
