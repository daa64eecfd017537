"""Laws every source obeys: what it announces is what it reads, in any pieces, from any thread."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import torch

from sdmerge.adapters import Source
from sdmerge.adapters.source import Operator
from sdmerge.tensors.dtypes import TORCH


def check_adapter(source: Source) -> None:
    """Assert that `source` reads what its specs say; an adapter's author calls it in a test.

    Every tensor has its announced size and dtype, any slice equals the slice of the whole, reading
    again gives the same, and so does reading from several threads at once. An operator is not read:
    it makes float32 tensors of what it is given, the same each time, and leaves that as it is.
    """
    if source.space == "operator":
        _check_operator(source)
        return
    whole = {key: source.read(key) for key in source.specs}
    for key, spec in source.specs.items():
        assert whole[key].shape == (spec.numel,), (
            f"{key}: {whole[key].shape} read, {spec} announced"
        )
        assert whole[key].dtype == TORCH[spec.dtype], f"{key}: another dtype than announced"
        for start, stop in _cuts(spec.numel):
            assert _same(source.read(key, start, stop), whole[key][start:stop]), (
                f"{key}[{start}:{stop}]"
            )
        assert source.family.block(key) in ("", "BASE", "VAE", *source.family.blocks), key
    with ThreadPoolExecutor(4) as pool:
        for key, again in zip(whole, pool.map(source.read, whole), strict=True):
            assert _same(again, whole[key]), f"{key}: threads disturb each other"


def _check_operator(source: Source) -> None:
    assert isinstance(source, Operator), "an operator source has apply(key, weight)"
    given = {
        key: torch.sin(torch.arange(spec.numel, dtype=torch.float32)).view(spec.shape)
        for key, spec in source.specs.items()
    }
    kept = {key: weight.clone() for key, weight in given.items()}
    made = {key: source.apply(key, weight) for key, weight in given.items()}
    with ThreadPoolExecutor(4) as pool:
        again = list(pool.map(source.apply, given, given.values()))
    for (key, changed), other in zip(made.items(), again, strict=True):
        assert changed.shape == source.specs[key].shape, f"{key}: {changed.shape} made"
        assert changed.dtype == torch.float32, f"{key}: {changed.dtype} made"
        assert _same(given[key], kept[key]), f"{key}: what is given is changed"
        assert _same(other, changed), f"{key}: threads disturb each other"


def _cuts(numel: int) -> list[tuple[int, int]]:
    """Slices at the ends and across the middle."""
    third, half = numel // 3, numel // 2
    return [(0, 0), (0, third), (third, min(half + 1, numel)), (half, numel), (numel, numel)]


def _same(one: torch.Tensor, other: torch.Tensor) -> bool:
    return torch.equal(one.contiguous().view(torch.uint8), other.contiguous().view(torch.uint8))
