from __future__ import annotations

import pytest

from sdmerge.errors import CorruptFile
from sdmerge.families.sizes import evaluate, resolve, solve
from sdmerge.families.table import reshape

SIZES = {"c0": 24, "c1": 48, "c2": 72, "v": 200}


@pytest.mark.parametrize(
    ("size", "number"),
    [(3, 3), ("c0", 24), ("4*c0", 96), ("c0+c2", 96), ("2*c0+c1", 96), ("v-1", 199)],
)
def test_sizes_are_sums_of_names(size: int | str, number: int) -> None:
    assert evaluate(size, SIZES) == number


def test_an_unknown_name_is_named() -> None:
    with pytest.raises(KeyError, match="x"):
        evaluate("2*x", SIZES)


def test_templates_are_filled_in_at_any_depth() -> None:
    template = {"a": ["$c0", "c0", 7], "b": {"c": "$v-2"}, "d": None}
    assert resolve(template, SIZES) == {"a": [24, "c0", 7], "b": {"c": 198}, "d": None}


@pytest.mark.parametrize(
    ("width", "heads"), [(1280, 20), (768, 12), (96, 1), (24, 1), (200, 2), (211, 1)]
)
def test_heads_are_about_64_wide_and_divide_the_width(width: int, heads: int) -> None:
    assert resolve("$c0/64", {"c0": width}) == heads


def test_groups_divide_every_width() -> None:
    assert resolve("$32|c0,c1,c2", SIZES) == 8
    assert resolve("$32|c0,c1,c2", {"c0": 320, "c1": 640, "c2": 1280}) == 32


def test_bare_sizes_are_told_by_the_most_shapes() -> None:
    shapes = [(("c0", 3), (24, 3)), (("c0",), (24,)), (("c0",), (25,)), (("4*c1",), (192,))]
    assert solve(shapes) == {"c0": 24}


def test_a_shape_follows_from_the_other_side() -> None:
    assert reshape(("3*w", "w"), (288, 96), ("w", "w"), "") == (96, 96)
    assert reshape(("3*w",), (288,), ("w",), "") == (96,)
    assert reshape(("w",), (96,), ("3*w",), "") == (288,)
    assert reshape(("c", "c"), (8, 8), ("c", "c", 1, 1), "") == (8, 8, 1, 1)
    assert reshape(("c", "i", 3, 3), (8, 9, 3, 3), ("c", "i", 3, 3), "") == (8, 9, 3, 3)


def test_a_shape_that_does_not_follow_is_a_damaged_file() -> None:
    with pytest.raises(CorruptFile, match="in_proj"):
        reshape(("3*w",), (100,), ("w",), "attn.in_proj")
