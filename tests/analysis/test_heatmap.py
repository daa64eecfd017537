"""Columns and heat map: what is shown, and in which colour."""

from __future__ import annotations

import itertools

import pytest
from PIL import Image

from sdmerge.analysis import Column, Interference, Measures, columns, heatmap, legend


def measures(models: int, conflict: float | None = 0.5, cosine: float | None = 0.0) -> Measures:
    pairs = models * (models - 1) // 2
    norms = tuple(float(place + 1) for place in range(models))
    relative = tuple(norm / 10 for norm in norms)
    return Measures(1, 9, conflict, conflict, 0.25, (cosine,) * pairs, norms, relative)


def found(models: int = 2, *, based: bool = True) -> Interference:
    names = tuple(f"model {place}" for place in range(models))
    blocks = {"IN00": measures(models, 0.9, -0.4), "IN01": measures(models, 0.1, 0.4)}
    return Interference(names, based, blocks, measures(models))


def by_title(one: Interference) -> dict[str, Column]:
    return {column.title: column for column in columns(one)}


def test_columns_of_deltas() -> None:
    shown = by_title(found())
    assert list(shown) == [
        "conflict", "by size", "cancelled", "cosine model 0/model 1", "change model 0",
        "change model 1",
    ]  # fmt: skip
    assert [shown["conflict"].text(row) for row in range(3)] == ["0.90", "0.10", "0.50"]
    assert [shown["conflict"].strength(row) for row in range(3)] == [1.0, -1.0, 0.0]
    assert shown["cancelled"].strength(0) == 0.5
    assert [shown["cosine model 0/model 1"].text(row) for row in range(3)] == [
        "-0.40", "+0.40", "+0.00",
    ]  # fmt: skip
    assert [shown["cosine model 0/model 1"].strength(row) for row in range(2)] == [0.8, -0.8]
    assert [shown[f"change model {model}"].text(0) for model in range(2)] == ["10.0%", "20.0%"]
    assert [shown[f"change model {model}"].strength(0) for model in range(2)] == [0.5, 1.0]


@pytest.mark.parametrize(("models", "coins"), [(2, "0.50"), (3, "0.75"), (5, "0.94")])
def test_conflict_is_coloured_by_what_coins_would_give(models: int, coins: str) -> None:
    shown = by_title(found(models))
    assert f"{shown['conflict'].neutral:.2f}" == coins
    assert any(coins in line for line in legend(found(models)))


def test_columns_of_weights() -> None:
    shown = by_title(found(based=False))
    assert list(shown) == ["cosine model 0/model 1", "length model 0", "length model 1"]
    assert [shown[f"length model {model}"].text(0) for model in range(2)] == ["0.6667", "1.3333"]
    assert any("no base" in line for line in legend(found(based=False)))


def test_many_pairs_become_three_columns() -> None:
    titles = list(by_title(found(4)))
    assert sum(title.startswith("cosine") for title in titles) == 6
    shown = by_title(found(5))
    assert {"lowest cosine", "mean cosine", "highest cosine"} < set(shown)
    assert len(shown) == 3 + 3 + 5


def test_nothing_measured_is_left_empty() -> None:
    one = Interference(("a", "b"), True, {"L00": measures(2, None, None)}, measures(2, None, None))
    shown = by_title(one)
    assert shown["conflict"].text(0) == ""
    assert shown["cosine a/b"].strength(0) == 0.0


def colours(image: Image.Image) -> set[tuple[int, int, int]]:
    pixels = image.get_flattened_data()
    return {colour for colour, _ in itertools.groupby(sorted(pixels))}


def test_the_picture_has_the_colours() -> None:
    one = found()
    image = heatmap(columns(one), [*one.blocks, "all"], "title", ["a word", "another"])
    assert image.mode == "RGB"
    seen = colours(image)
    assert {(214, 69, 48), (66, 118, 190), (54, 140, 116)} <= seen


def test_long_words_are_wrapped_and_many_models_fit() -> None:
    one = found(3)
    rows = [*one.blocks, "all"]
    short = heatmap(columns(one), rows, "title", ["word"])
    long = heatmap(columns(one), rows, "title", ["word " * 60])
    assert long.width == short.width
    assert long.height > short.height
    wide = heatmap(columns(found(12)), rows, "title", [])
    assert wide.width > short.width
    named = heatmap(columns(one), rows, "a title " * 20, [])
    assert named.width > short.width


def test_letters_without_a_font_are_numbered(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sdmerge.sample.fonts._installed", lambda: None)
    column = Column("コサイン", "cosine", (0.0, 0.0), 0.0, 1.0, ".2f")
    plain = Column("column 1", "cosine", (0.0, 0.0), 0.0, 1.0, ".2f")
    given = heatmap([column], ["ブロック", "all"], "t", [])
    assert given.tobytes() == heatmap([plain], ["row 1", "all"], "t", []).tobytes()
