"""The noise a picture starts from: by seed and size alone, the same on every device and dtype."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Hashable
from typing import Any, Generic, TypeVar

import torch
from torch import Tensor

Key = TypeVar("Key", bound=Hashable)
Value = TypeVar("Value")


class Kept(Generic[Key, Value]):
    """The values used last, at most `most` of them."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._values: OrderedDict[Key, Value] = OrderedDict()

    def get(self, key: Key) -> Value | None:
        """The value, which now is the one used last."""
        if key in self._values:
            self._values.move_to_end(key)
        return self._values.get(key)

    def put(self, key: Key, value: Value) -> Value:
        """Keep `value`, and let go of the one that was not used for longest."""
        self._values[key] = value
        while len(self._values) > self._most:
            self._values.popitem(last=False)
        return value


Noise = tuple[Tensor, Tensor]
"""The noise [1, channels, height, width], and how its generator goes on after it."""


def draw_noise(seed: int, shape: tuple[int, ...]) -> Noise:
    """What a pipeline draws first from a CPU generator of that seed."""
    dice = torch.Generator("cpu").manual_seed(seed)
    return torch.randn((1, *shape), generator=dice), dice.get_state()


def latent_shape(
    pipeline: Any, width: int | None, height: int | None
) -> tuple[int, int, int] | None:
    """Channels, height and width of what a UNet draws; None where it is packed otherwise."""
    unet = getattr(pipeline, "unet", None)
    factor = getattr(pipeline, "vae_scale_factor", None)
    size = getattr(getattr(unet, "config", None), "sample_size", None)
    if unet is None or factor is None or not isinstance(size, int):
        return None
    return unet.config.in_channels, *((side or size * factor) // factor for side in (height, width))
