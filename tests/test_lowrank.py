"""Low-rank algebra against the same thing done densely in float64."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from sdmerge.lowrank import Factors, compress, dense, inner, norm, one_thread, stack

SHAPES = [(1, 1, 1), (1, 1, 7), (7, 1, 1), (5, 9, 4), (64, 4, 96), (7, 16, 31), (130, 8, 2880)]


def random_factors(
    rows: int, rank: int, columns: int, scale: float = 1.0, dtype: torch.dtype = torch.float32
) -> Factors:
    """Factors of this shape, the same for the same numbers."""
    torch.manual_seed(rows * 31 + rank * 7 + columns)
    up = torch.randn(rows, rank, dtype=dtype)
    return Factors(up, torch.randn(rank, columns, dtype=dtype), scale)


def reference(factors: Factors) -> Tensor:
    """The product in float64."""
    return factors.up.double() @ factors.down.double() * factors.scale


@pytest.mark.parametrize(("rows", "rank", "columns"), SHAPES)
def test_dense_is_the_product(rows: int, rank: int, columns: int) -> None:
    factors = random_factors(rows, rank, columns, scale=0.3)
    product = dense(factors)
    assert product.dtype == torch.float32
    torch.testing.assert_close(
        product.view(rows, columns).double(), reference(factors), rtol=1e-5, atol=1e-5
    )


def test_dense_keeps_float64() -> None:
    factors = random_factors(20, 4, 30, scale=0.7, dtype=torch.float64)
    torch.testing.assert_close(dense(factors).view(20, 30), reference(factors), rtol=0, atol=1e-14)


@pytest.mark.parametrize(("rows", "rank", "columns"), SHAPES)
def test_a_slice_has_the_bytes_of_the_whole(rows: int, rank: int, columns: int) -> None:
    factors = random_factors(rows, rank, columns, scale=1.7)
    whole, step = dense(factors), max(1, rows * columns // 5 + 3)
    for start in range(0, len(whole), step):
        assert torch.equal(dense(factors, start, start + step), whole[start : start + step])
    assert dense(factors, 1, 1).shape == (0,)


@pytest.mark.parametrize(("rows", "rank", "columns"), SHAPES)
def test_bytes_do_not_depend_on_threads(rows: int, rank: int, columns: int) -> None:
    factors = random_factors(rows, rank, columns)
    results: list[tuple[Tensor, Tensor, float, float]] = []
    before = torch.get_num_threads()
    try:
        for threads in (1, 2, 4):
            torch.set_num_threads(threads)
            small = compress(factors, rank=2).factors
            product = dense(factors)
            results.append((product, dense(small), norm(factors), inner(factors, factors)))
            assert torch.get_num_threads() == threads
    finally:
        torch.set_num_threads(before)
    first = results[0]
    for other in results[1:]:
        assert torch.equal(first[0], other[0])
        assert torch.equal(first[1], other[1])
        assert first[2:] == other[2:]


def test_bytes_do_not_depend_on_where_the_factors_lie() -> None:
    factors = random_factors(7, 16, 31)

    def shifted(matrix: Tensor, by: int) -> Tensor:
        moved = torch.empty(matrix.numel() + by)[by:].view(matrix.shape)
        return moved.copy_(matrix)

    for by in (1, 3, 5):
        moved = Factors(shifted(factors.up, by), shifted(factors.down, by))
        assert torch.equal(dense(moved), dense(factors))
    turned = Factors(factors.up.T.contiguous().T, factors.down.T.contiguous().T)
    assert torch.equal(dense(turned), dense(factors))


def test_one_thread_gives_the_setting_back_after_an_error() -> None:
    before = torch.get_num_threads()
    torch.set_num_threads(3)
    try:
        with pytest.raises(ZeroDivisionError), one_thread():
            _ = torch.get_num_threads() // (torch.get_num_threads() - 1)
        assert torch.get_num_threads() == 3
    finally:
        torch.set_num_threads(before)


@pytest.mark.parametrize("scales", [(0.5, 0.5, 0.5), (0.5, 2.0, -1.0)])
def test_stack_is_the_sum(scales: tuple[float, ...]) -> None:
    parts = [
        random_factors(12, rank, 9, scale, torch.float64)
        for rank, scale in zip((1, 3, 20), scales, strict=True)
    ]
    total = stack(parts)
    assert total.rank == 24
    expected = torch.stack([reference(part) for part in parts]).sum(0)
    torch.testing.assert_close(reference(total), expected, rtol=0, atol=1e-13)


def test_stack_of_one_is_itself() -> None:
    factors = random_factors(4, 2, 3, scale=0.1)
    assert torch.equal(dense(stack([factors])), dense(factors))


@pytest.mark.parametrize("shape", [(12, 6, 9), (5, 9, 4), (1, 1, 1), (3, 1, 8)])
def test_compress_to_a_rank_is_the_truncated_svd(shape: tuple[int, int, int]) -> None:
    factors = random_factors(*shape, scale=0.25, dtype=torch.float64)
    whole = reference(factors)
    sigma = torch.linalg.svdvals(whole)
    for rank in (1, 2, 3, 100):
        result = compress(factors, rank=rank)
        kept = min(rank, *shape)
        assert result.factors.rank == kept
        expected = float(sigma[kept:].norm() / sigma.norm())
        measured = float((reference(result.factors) - whole).norm() / whole.norm())
        assert result.error == pytest.approx(expected, abs=1e-14)
        assert measured == pytest.approx(expected, abs=1e-14)


def spectrum(values: list[float]) -> Factors:
    """Factors whose singular values are `values`."""
    torch.manual_seed(0)
    left, _ = torch.linalg.qr(torch.randn(20, len(values), dtype=torch.float64))
    right, _ = torch.linalg.qr(torch.randn(15, len(values), dtype=torch.float64))
    return Factors(left * torch.tensor(values, dtype=torch.float64), right.T)


def test_compress_takes_the_smallest_rank_within_the_bounds() -> None:
    factors = spectrum([4.0, 2.0, 2.0, 1.0])  # squares 16, 4, 4, 1 of 25
    assert compress(factors, energy=0.6).factors.rank == 1
    assert compress(factors, energy=0.64).factors.rank == 1
    assert compress(factors, energy=0.65).factors.rank == 2
    assert compress(factors, energy=0.96).factors.rank == 3
    assert compress(factors, energy=1.0).factors.rank == 4
    assert compress(factors, error=0.6).factors.rank == 1
    assert compress(factors, error=0.2).factors.rank == 3
    assert compress(factors, error=0.19).factors.rank == 4
    assert compress(factors, error=1.0).factors.rank == 1
    assert compress(factors, energy=0.65, error=0.2).factors.rank == 3
    assert compress(factors, error=0.01, rank=2).factors.rank == 2


def test_compress_without_bounds_drops_only_what_is_nothing() -> None:
    factors = random_factors(30, 4, 25, dtype=torch.float64)
    doubled = stack([factors, factors])
    result = compress(doubled)
    assert (result.factors.rank, result.error) == (4, 0.0)
    torch.testing.assert_close(reference(result.factors), reference(doubled), rtol=0, atol=1e-12)


def test_compress_keeps_float32() -> None:
    factors = random_factors(30, 8, 25, scale=0.5)
    result = compress(factors, rank=8)
    assert result.factors.up.dtype == result.factors.down.dtype == torch.float32
    torch.testing.assert_close(dense(result.factors), dense(factors), rtol=1e-5, atol=1e-5)


def test_zero_factors() -> None:
    factors = Factors(torch.zeros(6, 3), torch.randn(3, 5))
    assert torch.equal(dense(factors), torch.zeros(30))
    assert norm(factors) == 0.0
    result = compress(factors, energy=0.9)
    assert (result.factors.rank, result.error) == (1, 0.0)
    assert torch.equal(dense(result.factors), torch.zeros(30))


@pytest.mark.parametrize(("rows", "rank", "columns"), SHAPES[:-1])
def test_norm_and_inner(rows: int, rank: int, columns: int) -> None:
    a = random_factors(rows, rank, columns, scale=-0.5)
    b = random_factors(rows, rank + 1, columns, scale=3.0)
    size = float(reference(a).norm())
    assert norm(a) == pytest.approx(size, rel=1e-13)
    exact = float((reference(a) * reference(b)).sum())
    assert inner(a, b) == pytest.approx(exact, abs=1e-13 * size * norm(b))


def test_norm_of_parts_that_cancel_is_exact() -> None:
    factors = random_factors(40, 4, 50, dtype=torch.float64)
    nearly = stack([factors, Factors(factors.up, factors.down, -1 + 1e-9)])
    assert norm(nearly) == pytest.approx(1e-9 * norm(factors), rel=1e-5)
