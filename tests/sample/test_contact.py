"""The contact sheet: a whole grid as one picture."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from grids import PROMPTS, SEEDS, TS, colour, make_grid
from PIL import Image
from tiny import cli, listing

from sdmerge.errors import FileError, InputError
from sdmerge.sample import fonts
from sdmerge.sample.contact import contact_sheet
from sdmerge.sample.grid import Axis, Grid, create, read_cells


@pytest.fixture
def no_fonts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fonts, "_installed", lambda: None)


def spots(image: Image.Image, paint: tuple[int, int, int]) -> tuple[int, int, int]:
    """Where a colour begins (down, across), and how much of it there is."""
    hit = np.argwhere((np.asarray(image) == paint).all(-1))
    return int(hit[:, 0].min()), int(hit[:, 1].min()), len(hit)


def test_every_picture_is_in_its_place(tmp_path: Path) -> None:
    image = contact_sheet(make_grid(tmp_path)).image
    # 48 pixels are enlarged three times; a quarter of each side is darker
    found = {
        (t, row, seed): spots(image, colour(t, row, seed))
        for t in TS
        for row in range(3)
        for seed in SEEDS
    }
    assert {count for _, _, count in found.values()} == {(48 * 48 - 12 * 12) * 9}
    for t in TS:
        assert len({found[t, row, seed][1] for row in range(3) for seed in SEEDS}) == 1
    lefts = [found[t, 0, 7][1] for t in TS]
    assert lefts == sorted(set(lefts))
    tops = [found[0.0, row, seed][0] for seed in SEEDS for row in range(3)]
    assert tops == sorted(set(tops))


def test_large_pictures_are_made_smaller(tmp_path: Path) -> None:
    folder = make_grid(tmp_path, seeds=(7,))
    for cell in read_cells(folder).values():
        Image.new("RGB", (600, 300), (10, 200, 30)).save(folder / cell.file)
    wide = contact_sheet(folder, width=300).image
    assert 5 * 300 < wide.width < 5 * 300 + 400
    assert spots(wide, (10, 200, 30))[2] == 15 * 300 * 150


def test_what_is_not_drawn_yet_is_blank(tmp_path: Path) -> None:
    folder = make_grid(tmp_path, seeds=(7,))
    first = next(iter(read_cells(folder).values()))
    (folder / first.file).unlink()
    create(folder, Grid((Axis("t", (*TS, 2.0)), Axis("prompt", PROMPTS)), ""))
    image = contact_sheet(folder).image
    assert spots(image, (232, 232, 229))[2] == 4 * 48 * 48 * 9


def test_letters_that_cannot_be_drawn_are_said(no_fonts: None, tmp_path: Path) -> None:
    contact = contact_sheet(make_grid(tmp_path, seeds=(7,)))
    assert any("prompt 2: 赤い背景に白い丸" in note for note in contact.notes)
    assert not any("castle" in note for note in contact.notes)
    assert "Japanese font" in contact.notes[-1]


def test_no_notes_where_all_can_be_drawn(no_fonts: None, tmp_path: Path) -> None:
    assert contact_sheet(make_grid(tmp_path, prompts=("a", "b"))).notes == ()


def test_one_axis_is_one_row(tmp_path: Path) -> None:
    folder = make_grid(tmp_path, prompts=("a",), seeds=(7,))
    create(folder, Grid((Axis("t", TS),), ""))
    image = contact_sheet(folder).image
    assert [spots(image, colour(t, 0, 7))[2] for t in TS] == [(48 * 48 - 12 * 12) * 9] * 5
    assert len({spots(image, colour(t, 0, 7))[0] for t in TS}) == 1


def test_refusals(tmp_path: Path) -> None:
    create(tmp_path, Grid((Axis("t", TS), Axis("prompt", PROMPTS)), ""))
    with pytest.raises(FileError, match="no pictures yet"):
        contact_sheet(tmp_path)
    folder = make_grid(tmp_path / "many", seeds=(7,))
    create(folder, Grid((Axis("t", (*TS, *range(2, 5_000))), Axis("prompt", PROMPTS[:2])), ""))
    with pytest.raises(InputError, match="million pixels"):
        contact_sheet(folder, width=4096)
    said = cli("view", folder, "--sheet", tmp_path / "x.jpg")
    assert said.code == 2
    assert "x.jpg" not in listing(tmp_path)
