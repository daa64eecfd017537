"""@method: a signature becomes a MethodSpec, and a body gets what it asks for."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from sdmerge.errors import MethodError, UnknownMethod
from sdmerge.method import (
    METHODS,
    Delta,
    Deltas,
    Here,
    Masks,
    Registry,
    Stat,
    Vector,
    Vectors,
    Weight,
    Weights,
    method,
    total,
)
from sdmerge.params import Fraction, PerModel, Scale, Strength
from sdmerge.place import Place
from sdmerge.testing.bench import Bench
from sdmerge.whole import LEAF, Whole

OWN = Registry()


def lengths(whole: Whole, weight: Any) -> np.ndarray:
    """The norms of the weighted tensors."""
    return np.sqrt(np.diag(whole.gram())) * weight.reshape(-1).numpy()


@method(title="All", paper="https://example.org", stats=lengths, version=3, registry=OWN)
def everything(
    deltas: Deltas, norms: Stat, random: Masks, *, weight: PerModel[Strength] = 1.0,
    from_: Fraction = 0.5, lambda_: Scale = 1.0,
) -> Delta:  # fmt: skip
    """Take everything there is to take.

    weight: Of each.
    from: A word that Python keeps for itself.
    lambda: Another.
    """
    kept = torch.where(random.keep(from_), deltas, 0.0)
    return lambda_ * total(weight * kept) / max(float(norms.sum()), 1.0)


def test_the_signature_says_what_it_is() -> None:
    spec = OWN["everything"].spec
    assert (spec.space, spec.unit, spec.models, spec.ordered) == (
        "delta",
        "element",
        (1, None),
        False,
    )
    assert (spec.random, spec.version, spec.title) == (True, 3, "All")
    assert [param.name for param in spec.params] == ["weight", "from", "lambda"]
    assert "everything" not in METHODS


def test_any_python_word_may_be_a_parameter() -> None:
    learned, base = torch.ones(400), torch.zeros(400)
    merged = Bench(OWN["everything"]).merge([learned], base, {"from": 1.0, "lambda": 2.0})
    assert torch.equal(merged, torch.full((400,), 2.0 / 20.0))


def test_statistics_see_parameters_in_double_precision() -> None:
    seen: list[Any] = []

    def spy(whole: Whole, weight: Any) -> int:
        seen.append(weight)
        return len(whole)

    registry = Registry()

    @method(title="Spy", paper="https://example.org", stats=spy, registry=registry)
    def first(weights: Weights, count: Stat, *, weight: PerModel[Strength] = 1.0) -> Weight:
        """The first, as a difference from a zero.

        weight: Looked at, no more.
        """
        assert (count, weight.dtype) == (2, torch.float32)  # type: ignore[attr-defined]
        return weights[0]

    Bench(registry["first"]).merge([torch.ones(3), torch.ones(3)], values={"weight": (0.1, 0.7)})
    assert seen[0].tolist() == [[0.1], [0.7]]


def one(weights: Weights, b: Weight) -> Weight:
    """One."""
    return weights[0]


def two(a: Weight, b: Delta) -> Weight:
    """A weight and a difference."""
    return a


def bare(weights) -> Weight:
    """Nothing is said of what it takes."""
    return weights[0]


def masks_first(random: Masks, weights: Weights) -> Weight:
    """The other way round."""
    return weights[0]


def stat_unasked(weights: Weights, stat: Stat) -> Weight:
    """Nobody computes it."""
    return weights[0]


def masks_before_the_place(weights: Weights, random: Masks, here: Here) -> Weight:
    """In another order."""
    return weights[0]


def mixed(a: Vector, b: Weight) -> Vector:
    """One that changes with the base and one that does not."""
    return a


@pytest.mark.parametrize(
    "body", [one, two, bare, masks_first, stat_unasked, masks_before_the_place, mixed]
)
def test_authors_are_told_what_a_method_takes(body: Any) -> None:
    registry = Registry()
    with pytest.raises(
        TypeError, match=f"{body.__name__}: the positional arguments are `a: Weight"
    ):
        method(title="", paper="", registry=registry)(body)
    assert len(registry) == 0


def test_models_in_order_of_any_number() -> None:
    registry = Registry()

    @method(title="Third", paper="https://example.org", registry=registry)
    def third(a: Delta, b: Delta, c: Delta) -> Delta:
        """What the third learned."""
        return c

    spec = registry["third"].spec
    assert (spec.space, spec.models, spec.ordered) == ("delta", (3, 3), True)
    base, models = torch.ones(2), [torch.full((2,), float(count)) for count in (2, 3, 4)]
    assert Bench(registry["third"]).merge(models, base).tolist() == [4.0, 4.0]


def test_one_model_is_not_stacked() -> None:
    registry = Registry()

    @method(title="Only", paper="https://example.org", registry=registry)
    def only(a: Weight) -> Weight:
        """What it is given."""
        assert a.shape == (2,)
        return a

    spec = registry["only"].spec
    assert (spec.space, spec.models, spec.ordered) == ("weight", (1, 1), False)
    assert Bench(registry["only"]).merge([torch.ones(2)]).tolist() == [1.0, 1.0]


def test_vectors_are_differences_where_there_is_a_base() -> None:
    registry = Registry()

    @method(title="Twice", paper="https://example.org", registry=registry)
    def twice(vectors: Vectors) -> Vector:
        """Double the first."""
        return 2 * vectors[0]

    method_ = registry["twice"]
    assert (method_.spec.space, method_.spec.models) == ("either", (1, None))
    models, base = [torch.full((2,), 5.0)], torch.full((2,), 3.0)
    assert Bench(method_).merge(models, base).tolist() == [10.0, 10.0]
    assert Bench(method_, based=True).merge(models, base).tolist() == [7.0, 7.0]


def test_a_body_may_ask_where_its_slab_lies() -> None:
    registry = Registry()

    @method(title="Rows", paper="https://example.org", registry=registry)
    def row_numbers(a: Weight, b: Weight, here: Here) -> Weight:
        """The number of the row."""
        return here.of("row").to(a.dtype)

    pair = [torch.zeros(3, 4), torch.zeros(3, 4)]
    merged = Bench(registry["row_numbers"]).merge(pair, slab=5)
    assert merged.tolist() == [[0.0] * 4, [1.0] * 4, [2.0] * 4]


def test_statistics_that_nobody_receives() -> None:
    def plain(weights: Weights) -> Weight:
        """The first."""
        return weights[0]

    with pytest.raises(TypeError, match="then a `Stat` if"):
        method(title="", paper="", stats=lengths, registry=Registry())(plain)


def test_registries_are_values() -> None:
    copy = Registry(OWN.values())
    assert dict(copy) == dict(OWN)
    with pytest.raises(MethodError, match="'everything' is defined in"):
        copy.add(OWN["everything"])
    assert copy.get("ties") is None
    with pytest.raises(UnknownMethod, match="the method 'ties' has no body here"):
        copy["ties"]
    with pytest.raises(UnknownMethod, match="Did you mean 'everything'"):
        copy["everythin"]


@given(st.integers(0, 2**32), st.integers(1, 300), st.integers(0, 300))
def test_the_kth_magnitude_is_that_of_a_sort(seed: int, size: int, count: int) -> None:
    row = torch.randn(size, generator=torch.Generator().manual_seed(seed)).round(decimals=1)
    count = min(count, size)
    found = float(whole(row).kth_magnitudes([[count]]))
    if count == 0:
        assert found == float("inf")
    elif count == size:
        assert found == 0.0
    else:
        assert found == float(row.abs().sort(descending=True).values[count - 1])


def test_inner_products_are_exact_and_run_over_fixed_leaves() -> None:
    a = torch.randn(LEAF + 77, generator=torch.Generator().manual_seed(1))
    b = torch.randn(LEAF + 77, generator=torch.Generator().manual_seed(2))
    products = whole(a, b).gram()
    wide = torch.stack([a, b]).double()
    np.testing.assert_allclose(products, (wide @ wide.T).numpy(), rtol=1e-12)
    assert [leaf.shape for leaf in whole(a, b).leaves()] == [(2, LEAF), (2, 77)]


def test_distances_do_not_cancel() -> None:
    a = torch.full((LEAF + 5,), 1000.0)
    b = a.clone()
    b[7], b[-1] = 1000.0 + 2**-13, 1000.0 - 2**-13
    squares = whole(a, b).squared_distances()
    assert squares.tolist() == [[0.0, 2**-25], [2**-25, 0.0]]


@pytest.mark.parametrize("shape", [(5,), (3, LEAF // 2 + 9), (LEAF // 2 + 9, 3), (4, 3, 5, 2)])
def test_inner_products_by_row_and_by_column(shape: tuple[int, ...]) -> None:
    wide = [torch.randn(shape, generator=torch.Generator().manual_seed(seed)) for seed in (1, 2)]
    rows = [tensor.reshape(shape[0], -1).double().numpy() for tensor in wide]
    seen = whole(*wide)
    stacked = np.stack(rows)
    by_row, by_column = seen.gram_by("row"), seen.gram_by("column")
    np.testing.assert_allclose(by_row, np.einsum("irc,jrc->rij", stacked, stacked), rtol=1e-9)
    np.testing.assert_allclose(by_column, np.einsum("irc,jrc->cij", stacked, stacked), rtol=1e-9)
    np.testing.assert_allclose(by_row.sum(0), seen.gram(), rtol=1e-9)


@given(st.integers(0, 2**32), st.lists(st.integers(1, 100), min_size=1, max_size=4))
def test_the_kth_largest_scores_are_those_of_a_sort(seed: int, counts: list[int]) -> None:
    row = torch.randn(100, generator=torch.Generator().manual_seed(seed)).round(decimals=1)

    def score(leaf: np.ndarray, place: Place) -> np.ndarray:
        assert leaf.shape == (1, place.stop - place.start)
        return -2 * leaf

    found = whole(row).kth_largest(score, [counts])
    largest = np.sort(-2 * row.numpy())[::-1]
    assert found.tolist() == [[largest[count - 1] for count in counts]]


def test_an_empty_tensor_has_statistics() -> None:
    nothing = whole(torch.zeros(0, 3), torch.zeros(0, 3))
    assert not nothing.gram().any()
    assert nothing.gram_by("row").shape == (0, 2, 2)
    assert nothing.gram_by("column").shape == (3, 2, 2)
    assert nothing.kth_largest(lambda leaf, place: leaf, [[0], [1]]).tolist() == [[np.inf]] * 2


def products(leaf: np.ndarray) -> np.ndarray:
    return np.stack([leaf[0] * leaf[1], np.abs(leaf[0])])


def test_statistics_of_what_is_made_of_the_entries() -> None:
    a = torch.randn(LEAF + 77, generator=torch.Generator().manual_seed(1))
    b = torch.randn(LEAF + 77, generator=torch.Generator().manual_seed(2))
    both = whole(a, b)
    made = np.stack([a.double() * b.double(), a.double().abs()])
    np.testing.assert_allclose(both.sums(products), made.sum(1), rtol=1e-12)
    lows, highs = both.extremes(products)
    np.testing.assert_array_equal([lows, highs], [made.min(1), made.max(1)])
    ordered = np.sort(made.astype(np.float32))[:, ::-1]
    for count in (1, 100, LEAF + 77):
        found = both.kth_largest(lambda leaf, _: products(leaf), [[count, 9], [5, 0]])
        wanted = [[ordered[0, count - 1], ordered[0, 8]], [ordered[1, 4], np.inf]]
        assert found.tolist() == wanted


def test_sums_run_in_order() -> None:
    rows = torch.tensor([[1e8], [1.0], [-1e8], [1.0]])
    assert total(rows).item() == 1.0  # 1e8 swallows the first 1
    assert torch.equal(rows, torch.tensor([[1e8], [1.0], [-1e8], [1.0]]))


def whole(*rows: torch.Tensor) -> Whole:
    flat = [row.reshape(-1) for row in rows]
    return Whole(
        [lambda start, stop, row=row: row[start:stop] for row in flat],
        rows[0].numel(),
        tuple(rows[0].shape),
    )
