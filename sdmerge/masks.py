"""Counter-based random masks: the mask of a slice is the slice of the mask.

splitmix64 (Steele, Lea and Flood, "Fast splittable pseudorandom number generators", 2014) of a
stream key and the element's index in C order. Nothing depends on threads, slabs or the order in
which tensors are merged, and two models or two tensors never share a mask.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

_GOLDEN = np.uint64(0x9E3779B97F4A7C15)
_MIX_1 = np.uint64(0xBF58476D1CE4E5B9)
_MIX_2 = np.uint64(0x94D049BB133111EB)


def stream_key(seed: int, key: str, alias: str) -> int:
    """The 64-bit key of the stream for one tensor of one model."""
    text = f"{seed}\0{key}\0{alias}".encode()
    return int.from_bytes(hashlib.blake2b(text, digest_size=8).digest(), "little")


def uniform_bits(stream: int, start: int, stop: int) -> np.ndarray:
    """32 random bits for each element index in [start, stop), as uint64."""
    z = np.arange(start, stop, dtype=np.uint64)
    z *= _GOLDEN
    z += np.uint64(stream)
    z ^= z >> np.uint64(30)
    z *= _MIX_1
    z ^= z >> np.uint64(27)
    z *= _MIX_2
    z ^= z >> np.uint64(31)
    return z >> np.uint64(32)


class Random:
    """The random numbers of a slab, or of a whole tensor in its shape: one stream per input."""

    def __init__(
        self, streams: Sequence[int], start: int, stop: int, shape: tuple[int, ...] | None = None
    ) -> None:
        self._streams = streams
        self._start = start
        self._stop = stop
        self._shape = (stop - start,) if shape is None else shape

    def keep(self, probability: float | Tensor) -> Tensor:
        """Booleans [n, *shape], each True with `probability`.

        That is a number, one per input [n, 1, …], or one per element [n, *shape].
        """
        rows = np.broadcast_to(*self._thresholds(probability))
        masks = np.stack([self._row(*pair) for pair in zip(self._streams, rows, strict=True)])
        return torch.from_numpy(masks)  # pyright: ignore[reportUnknownMemberType]

    def source(self, probability: float | Tensor) -> tuple[np.ndarray, np.ndarray, int]:
        """What `keep` is made of: a stream per input, thresholds [n, …], and the first element."""
        thresholds = np.broadcast_to(*self._thresholds(probability)).reshape(len(self._streams), -1)
        return np.array(self._streams, np.uint64), thresholds.copy(), self._start

    def _thresholds(self, probability: float | Tensor) -> tuple[np.ndarray, tuple[int, ...]]:
        """What the random bits are compared with, and the shape with a row for each input."""
        chances: np.ndarray = torch.as_tensor(probability, dtype=torch.float64).numpy()
        thresholds = np.rint(chances * 2.0**32).astype(np.uint64)
        return thresholds, (len(self._streams), *thresholds.shape[1:])

    def _row(self, stream: int, thresholds: np.ndarray) -> np.ndarray:
        bits = uniform_bits(stream, self._start, self._stop)
        return bits.reshape(self._shape) < thresholds
