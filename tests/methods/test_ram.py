"""RAM and RAM+: Yuan et al., 2026."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from methods.reference import COUNT, Row, deltas, eighths, merge, models, seeds

ZERO = [0.0] * COUNT
sparse = seeds.map(lambda draw: draw.choices([0.0, 0.0, 0.0, 1.0, -0.5, 0.0078125], k=COUNT))


def merged(taus: list[Row], epsilon: float, r: float = 0.0, alpha: float = 0.0) -> Row:
    active = [[abs(entry) > epsilon for entry in tau] for tau in taus]
    counts = [sum(column) for column in zip(*active, strict=True)]
    result = [0.0] * COUNT
    for tau, touched in zip(taus, active, strict=True):
        unique = sum(mine and n == 1 for mine, n in zip(touched, counts, strict=True))
        shared = sum(mine and n > 1 for mine, n in zip(touched, counts, strict=True))
        gain = 1 + r * min(max(shared / unique if unique else 0.0, 0.0), alpha)
        for place, count in enumerate(counts):
            if touched[place]:
                result[place] += tau[place] * gain if count == 1 else tau[place] / count
    return result


@given(sparse, models(sparse), st.sampled_from([0.0, 1e-5, 0.01, 0.75]))
def test_ram_averages_what_is_shared_and_keeps_what_is_not(
    base: Row, inputs: list[Row], epsilon: float
) -> None:
    wanted = np.array(base) + merged(deltas(inputs, base), epsilon)
    found = merge("ram", inputs, base, epsilon=epsilon)
    np.testing.assert_allclose(found, wanted, rtol=1e-6, atol=1e-6)


@given(sparse, models(sparse), st.sampled_from([0.0, 1e-5, 0.75]), eighths, eighths)
def test_ramplus_amplifies_what_is_not_shared(
    base: Row, inputs: list[Row], epsilon: float, r: float, alpha: float
) -> None:
    wanted = np.array(base) + merged(deltas(inputs, base), epsilon, r, alpha)
    found = merge("ramplus_tl", inputs, base, epsilon=epsilon, r=r, alpha=alpha)
    np.testing.assert_allclose(found, wanted, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize(
    ("alpha", "gain"),
    [(1.0, 1.25), (0.25, 1.125), (0.0, 1.0)],
)
def test_the_gain_is_bounded(alpha: float, gain: float) -> None:
    """One model with 2 entries of its own and 1 shared: ρ = 1/2."""
    one, two = [4.0, 4.0, 2.0, *ZERO[3:]], [0.0, 0.0, 6.0, *ZERO[3:]]
    found = merge("ramplus_tl", [one, two], ZERO, r=0.5, alpha=alpha)
    np.testing.assert_allclose(found[:4], [4 * gain, 4 * gain, 4.0, 0.0])


@pytest.mark.parametrize("name", ["ram", "ramplus_tl"])
def test_without_overlap_nothing_is_lost(name: str) -> None:
    one, two = [1.0, 0.0, *ZERO[2:]], [0.0, -3.0, *ZERO[2:]]
    np.testing.assert_array_equal(merge(name, [one, two], ZERO), [1.0, -3.0, *ZERO[2:]])
