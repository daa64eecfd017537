"""Consensus merging with TALL masks: Wang et al., 2024."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from methods.reference import COUNT, Row, deltas, eighths, few, merge, models, rows, scales, weights

ZERO = [0.0] * COUNT


def consensus(taus: list[Row], k: int, threshold: float) -> Row:
    """τ where at least k masks |τᵢ| ≥ λ·|τ - τᵢ| are set."""
    result: Row = []
    for column in zip(*taus, strict=True):
        whole = sum(column)
        votes = sum(abs(entry) >= threshold * abs(whole - entry) for entry in column)
        result.append(whole if votes >= k else 0.0)
    return result


@given(rows, models(rows | few), st.data(), eighths, st.integers(0, 4))
def test_entries_of_too_few_models_stay_with_the_base(
    base: Row, inputs: list[Row], data: st.DataObject, threshold: float, k: int
) -> None:
    shares, scale = tuple(data.draw(weights) for _ in inputs), data.draw(scales)
    taus = [
        [share * entry for entry in tau]
        for share, tau in zip(shares, deltas(inputs, base), strict=True)
    ]
    most = sum(share != 0 for share in shares)
    wanted = np.array(base) + scale * np.array(consensus(taus, min(k, most), threshold))
    found = merge(
        "consensus", inputs, base, weight=shares, lambda_=scale, k=k, tall_mask_lambda=threshold
    )
    np.testing.assert_allclose(found, wanted, rtol=1e-5, atol=1e-5)


def test_selfish_and_catastrophic_entries() -> None:
    one, two, three = [4.0, 3.0, 1.0], [0.5, 3.0, 1.0], [0.5, 0.0, 1.0]
    inputs = [[*row, *ZERO[3:]] for row in (one, two, three)]
    # with a threshold of 1/2 the 4 matters to the first alone, the 3 to two models, the 1 to all
    for k, wanted in ((0, [5, 6, 3]), (1, [5, 6, 3]), (2, [0, 6, 3]), (3, [0, 0, 3])):
        found = merge("consensus", inputs, ZERO, k=k, tall_mask_lambda=0.5)
        np.testing.assert_array_equal(found[:3], wanted)


def test_catastrophic_entries_matter_to_nobody() -> None:
    """Ten models of one mind and weak: each is small beside the sum of the others."""
    found = merge("consensus", [[1.0] * COUNT] * 10, ZERO, k=1, tall_mask_lambda=0.4)
    assert not found.any()


def test_fewer_models_than_k_have_to_agree_all() -> None:
    row = [float(place - 7) for place in range(COUNT)]
    np.testing.assert_array_equal(merge("consensus", [row], ZERO, k=2), row)
    idle = merge("consensus", [row, row], ZERO, k=2, weight=(1.0, 0.0))
    np.testing.assert_array_equal(idle, row)
