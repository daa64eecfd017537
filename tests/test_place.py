"""Where a slab lies: rows, columns and indices of its elements."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch

from sdmerge.place import Place

SHAPES = [(), (1,), (5,), (4, 3), (4, 3, 1, 1), (2, 3, 2, 2)]


@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_a_slice_of_the_places_is_the_slice_of_the_whole(shape: tuple[int, ...]) -> None:
    size = math.prod(shape)
    grid = np.indices(shape or (1,)).reshape(len(shape) or 1, size)
    rest = shape[1:] or (1,)
    columns = np.ravel_multi_index(tuple(grid[1:]) or (np.zeros(size, int),), rest)
    for start, stop in ((0, size), (0, size // 2), (size // 3, size), (size, size)):
        place = Place(start, stop, shape)
        np.testing.assert_array_equal(place.of("row"), grid[0, start:stop])
        np.testing.assert_array_equal(place.of("column"), columns[start:stop])
        for dim, along in enumerate(grid):
            np.testing.assert_array_equal(place.along(dim), along[start:stop])


def test_how_many_rows_and_columns() -> None:
    counts = {shape: (Place(0, 0, shape).count("row"), Place(0, 0, shape).count("column"))
              for shape in (*SHAPES, (0, 3), (3, 0))}  # fmt: skip
    assert counts[()] == counts[(1,)] == (1, 1)
    assert counts[(5,)] == (5, 1)
    assert counts[(2, 3, 2, 2)] == (2, 12)
    assert counts[(0, 3)] == (0, 3)
    assert counts[(3, 0)] == (3, 1)
    assert torch.equal(Place(0, 0, (3, 0)).of("row"), torch.zeros(0, dtype=torch.int64))
