"""The papers' formulas in float64 and plain loops, and numbers on which float32 is exact.

Nothing of sdmerge is used here but the bench that runs a method.
"""

from __future__ import annotations

import hashlib
import random
from collections.abc import Sequence

import numpy as np
import torch
from hypothesis import strategies as st
from torch import Tensor

from sdmerge.methods import METHODS
from sdmerge.testing.bench import Bench, Value

Row = list[float]
SHAPE = (4, 6)
COUNT = 24

eighths = st.integers(0, 8).map(lambda n: n / 8)
weights = st.integers(-16, 16).map(lambda n: n / 4)
scales = st.integers(-8, 8).map(lambda n: n / 2)
seeds = st.integers(0, 2**32).map(random.Random)
rows = seeds.map(lambda draw: [draw.randint(-256, 256) / 128 for _ in range(COUNT)])
few = seeds.map(lambda draw: draw.choices([-1.0, -0.5, 0.0, 0.5, 1.0], k=COUNT))
"""Rows of few magnitudes, so that many are equal."""


def models(of: st.SearchStrategy[Row] = rows, most: int = 4) -> st.SearchStrategy[list[Row]]:
    """One to `most` rows of numbers."""
    return st.lists(of, min_size=1, max_size=most)


def merge(name: str, inputs: Sequence[Row], base: Row | None = None, **values: Value) -> np.ndarray:
    """The method's result for rows given as tensors of SHAPE; `lambda_` is `lambda`."""
    tensors = [tensor(row) for row in inputs]
    given = {key.rstrip("_"): value for key, value in values.items()}
    bench = Bench(METHODS[name], based=base is not None)
    merged = bench.merge(tensors, None if base is None else tensor(base), given)
    assert merged.dtype == torch.float32
    return merged.reshape(-1).double().numpy()


def tensor(row: Row) -> Tensor:
    """A row as a float32 tensor of SHAPE."""
    return torch.tensor(row, dtype=torch.float64).float().reshape(SHAPE)


def deltas(inputs: Sequence[Row], base: Row) -> list[Row]:
    """Task vectors: what each model learned."""
    return [[theta - start for theta, start in zip(row, base, strict=True)] for row in inputs]


def trim(tau: Row, density: float) -> Row:
    """The share `density` of largest magnitude, and whatever is as large as the smallest of it."""
    kept = -(-len(tau) * density // 1)  # ⌈density·n⌉
    if kept == 0:
        return [0.0] * len(tau)
    smallest = sorted(map(abs, tau), reverse=True)[int(kept) - 1]
    return [entry if abs(entry) >= smallest else 0.0 for entry in tau]


def disjoint(column: Sequence[float], shares: Sequence[float], vote: str, divide: bool) -> float:
    """One entry of TIES after the trim: elect a sign, then average or add what agrees."""
    signs = [entry if vote == "before" else share * entry
             for entry, share in zip(column, shares, strict=True)]  # fmt: skip
    ballots = [np.sign(sign) if vote == "count" else sign for sign in signs]
    elected = np.sign(sum(ballots))
    agreeing = [place for place, sign in enumerate(signs) if sign * elected > 0]
    mixed = sum(shares[place] * column[place] for place in agreeing)
    if not divide:
        return float(mixed)
    whole = sum(abs(shares[place]) for place in agreeing)
    return float(mixed / whole) if whole else 0.0


def kept_by_dare(seed: int, key: str, alias: str, index: int, density: float) -> bool:
    """Whether DARE keeps an entry: splitmix64 of the stream's key and the index."""
    word = (1 << 64) - 1
    digest = hashlib.blake2b(f"{seed}\0{key}\0{alias}".encode(), digest_size=8).digest()
    z = (int.from_bytes(digest, "little") + index * 0x9E3779B97F4A7C15) & word
    z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9 & word
    z = (z ^ (z >> 27)) * 0x94D049BB133111EB & word
    return (z ^ (z >> 31)) >> 32 < density * 2**32
