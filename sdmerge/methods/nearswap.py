"""Steps towards another model, of limited size."""

from __future__ import annotations

from typing import Annotated

import torch

from sdmerge.method import Weight, method
from sdmerge.params import Range

Distance = Annotated[float, Range(0.0, 0.01, limits=(0.0, 100.0))]


@method(title="NearSwap", paper="https://huggingface.co/alchemonaut/QuartetAnemoi-70B-t0.0001")
def nearswap(a: Weight, b: Weight, *, t: Distance = 0.0001) -> Weight:
    """Take B's numbers where they are near A's, and elsewhere a step of t towards them.

    (1-w)·A + w·B with w = min(1, t / |A-B|), which is A + min(t, |B-A|)·sign(B-A). A is base_model
    if the recipe has one.

    t: The distance, in units of the weights, within which B's numbers are taken.
    """
    step = b - a
    return torch.where(step.abs() <= t, b, a + step.clamp(-t, t))
