"""The sheet: every picture in its place, at whole multiples of its size."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from tiny import listing

from sdmerge.sample import fonts
from sdmerge.sample.sheet import save, sheet


def plain(colour: tuple[int, int, int], size: tuple[int, int] = (64, 48)) -> Image.Image:
    return Image.new("RGB", size, colour)


COLOURS = [[(200, 0, 0), (0, 200, 0), (0, 0, 200)], [(90, 0, 0), (0, 90, 0), (0, 0, 90)]]


@pytest.mark.parametrize("size", [(64, 48), (128, 128), (300, 200)])
def test_every_picture_is_on_it(size: tuple[int, int]) -> None:
    factor = max(1, -(-128 // size[0]))
    rows = [[plain(colour, size) for colour in row] for row in COLOURS]
    image = np.asarray(sheet(rows, ["one", "two"], ["a", "b", "c"]))
    spots: dict[tuple[int, int, int], tuple[int, int]] = {}
    for row in COLOURS:
        for colour in row:
            hit = np.argwhere((image == colour).all(-1))
            assert len(hit) == size[0] * size[1] * factor**2
            spots[colour] = (int(hit[:, 0].min()), int(hit[:, 1].min()))
    tops = [[spots[colour][0] for colour in row] for row in COLOURS]
    lefts = [[spots[colour][1] for colour in row] for row in COLOURS]
    assert [len(set(row)) for row in tops] == [1, 1]
    assert lefts[0] == lefts[1] == sorted(lefts[0])
    assert tops[1][0] - tops[0][0] > size[1] * factor
    assert lefts[0][1] - lefts[0][0] > size[0] * factor


def test_small_pictures_are_enlarged_without_blur() -> None:
    checker = Image.fromarray(np.indices((8, 8)).sum(0).astype(np.uint8) % 2 * 255).convert("RGB")
    image = np.asarray(sheet([[checker]], [""], [""]))
    cell = image[-4 - 128 : -4, -4 - 128 : -4]
    assert np.array_equal(cell[::16, ::16], np.asarray(checker))
    assert set(np.unique(cell)) == {0, 255}


def test_labels_make_room_for_themselves() -> None:
    rows = [[plain((1, 2, 3))]]
    short, long = sheet(rows, ["a"], ["x"]), sheet(rows, ["a much longer label"], ["x"])
    assert long.width > short.width
    assert long.height == short.height
    wrapped = sheet(rows, ["a"], ["x" * 500])
    assert wrapped.width == short.width
    assert short.height < wrapped.height == sheet(rows, ["a"], ["x" * 5000]).height
    assert sheet(rows, ["a" * 500], ["x"]).width == sheet(rows, ["a" * 5000], ["x"]).width
    ink = np.asarray(short.convert("L"))[:20]
    assert ink.min() < 100


def test_letters_that_no_font_has_are_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    """A row of boxes says nothing, and takes no room."""
    monkeypatch.setattr(fonts, "_installed", lambda: None)
    rows = [[plain((1, 2, 3))]]
    japanese, english = sheet(rows, ["a"], ["赤い丸"]), sheet(rows, ["a"], ["red"])
    assert japanese.height < english.height
    mixed = sheet([[plain((1, 2, 3)), plain((3, 2, 1))]], ["a"], ["赤い丸", "red"])
    assert mixed.height == english.height
    assert sheet(rows, ["赤い丸"], ["a"]).width == sheet(rows, [""], ["a"]).width


def test_saved_whole_or_not_at_all(tmp_path: Path) -> None:
    image = sheet([[plain((1, 2, 3))]], ["a"], ["b"])
    save(image, tmp_path / "new" / "x.png")
    assert listing(tmp_path) == ["new", "new/x.png"]
    assert np.array_equal(np.asarray(Image.open(tmp_path / "new" / "x.png")), np.asarray(image))
