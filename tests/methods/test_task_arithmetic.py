"""Task arithmetic: Ilharco et al., 2023."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from methods.reference import COUNT, Row, merge, models, rows, scales, weights


@given(rows, models(), scales, st.data(), st.booleans())
def test_scaled_task_vectors_are_added(
    base: Row, inputs: list[Row], scale: float, data: st.DataObject, divide: bool
) -> None:
    shares = tuple(data.draw(weights) for _ in inputs)
    start = np.array(base)
    learned = np.tensordot(shares, np.array(inputs) - start, 1)
    if divide and sum(shares) != 0:
        learned = learned / sum(shares)
    wanted = start + scale * learned
    found = merge("task_arithmetic", inputs, base, weight=shares, lambda_=scale, normalize=divide)
    np.testing.assert_allclose(found, wanted, rtol=1e-6, atol=1e-6 * max(1, np.abs(wanted).max()))


def test_one_task_at_full_strength_is_the_model() -> None:
    base = [float(place) for place in range(COUNT)]
    model = [entry**2 for entry in base]
    np.testing.assert_array_equal(merge("task_arithmetic", [model], base), model)


def test_a_negative_weight_forgets() -> None:
    base, model = [1.0] * COUNT, [3.0] * COUNT
    np.testing.assert_array_equal(
        merge("task_arithmetic", [model], base, weight=-1.0), [-1.0] * COUNT
    )


def test_weights_that_cancel_are_not_divided() -> None:
    base, one, two = [0.0] * COUNT, [2.0] * COUNT, [1.0] * COUNT
    found = merge("task_arithmetic", [one, two], base, weight=(1.0, -1.0), normalize=True)
    np.testing.assert_array_equal(found, [1.0] * COUNT)
