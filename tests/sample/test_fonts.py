"""Fonts are found, and are what they are taken for."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from PIL import ImageFont

from sdmerge.sample import fonts
from sdmerge.sample.fonts import readable, typeface, wrapped


@pytest.fixture(autouse=True)
def nothing_is_remembered() -> Iterator[None]:
    fonts._installed.cache_clear()
    yield
    fonts._installed.cache_clear()


def only_folder(monkeypatch: pytest.MonkeyPatch, folder: Path) -> None:
    """A machine whose fonts all lie in `folder`."""
    monkeypatch.setattr(fonts, "_fontconfig", lambda: "")
    monkeypatch.setattr(fonts, "_folders", lambda: [folder, folder / "none"])


def test_what_is_read_is_drawn() -> None:
    assert readable("a castle, 0.25")
    font = typeface(16)
    for text in ("赤い丸", "é", "Ж", "\U00010ffd"):
        missing = fonts._drawn(font, "\uffff")
        drawn = [fonts._drawn(font, letter) != missing for letter in text]
        assert readable(text) == all(drawn)
    assert not readable("\U00010ffd")


def test_without_fonts_there_is_latin(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "NotoSansCJK-Regular.ttc").write_bytes(b"not a font")
    only_folder(monkeypatch, tmp_path)
    assert typeface(14).getlength("castle") > 20
    assert readable("castle")
    assert not readable("赤い丸")
    assert not readable("red 赤")


def test_a_font_without_the_letters_does_not_count(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Whatever it is called."""
    latin = next((path for path in fonts._candidates() if "dejavu" in path.name.lower()), None)
    if latin is None:
        pytest.skip("there is no font without Japanese letters to try")
    shutil.copy(latin, tmp_path / "NotoSansCJK-Regular.ttf")
    only_folder(monkeypatch, tmp_path)
    assert not readable("赤い丸")


def test_a_japanese_font_is_found_by_its_letters(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    real = fonts._installed()
    if real is None:
        pytest.skip("no Japanese font is installed")
    fonts._installed.cache_clear()
    folder = tmp_path / "deep" / "er"
    folder.mkdir(parents=True)
    shutil.copy(real, folder / f"unheard-of{Path(real).suffix}")
    only_folder(monkeypatch, tmp_path)
    assert readable("赤い丸 and Latin")
    assert isinstance(typeface(14), ImageFont.FreeTypeFont)


def test_likely_names_come_first() -> None:
    names = ["zapf.ttf", "Arial.ttf", "HiraginoSans-Bold.otf", "Hiragino Sans GB.ttc", "ipag.ttf"]
    ordered = sorted(names, key=fonts._likelihood)
    assert ordered == [
        "Hiragino Sans GB.ttc", "HiraginoSans-Bold.otf", "ipag.ttf", "zapf.ttf", "Arial.ttf",
    ]  # fmt: skip


@pytest.mark.parametrize("platform", ["linux", "darwin", "win32"])
def test_every_system_has_folders(monkeypatch: pytest.MonkeyPatch, platform: str) -> None:
    monkeypatch.setattr(fonts.sys, "platform", platform)
    monkeypatch.setenv("LOCALAPPDATA", "local")
    assert len(fonts._folders()) >= 2


def test_labels_break_at_spaces_and_in_japanese_anywhere() -> None:
    font = ImageFont.load_default(14)
    width = round(font.getlength("a castle by"))
    assert wrapped("a castle by the sea", font, width, 3) == ["a castle by", "the sea"]
    lines = wrapped("x" * 100, font, width, 3)
    assert len(lines) == 3
    assert lines[2].endswith("…")
    assert all(font.getlength(line) <= width for line in lines)
    assert "".join(wrapped("abcdefghij" * 3, font, width, 9)) == "abcdefghij" * 3
    assert wrapped("", font, width, 3) == []
    assert wrapped("word", font, 1, 2)[0] == "w"
