"""Letters on pictures: a font that this machine has, with Japanese letters if there is one.

No path is assumed. Fontconfig is asked where there is one; else the folders are searched in which
Linux, macOS and Windows keep fonts, likely names first, and a font counts if it draws the letters.
"""

from __future__ import annotations

import functools
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

from PIL import Image, ImageDraw, ImageFont

Font = ImageFont.FreeTypeFont

_WANTED = "Aあ漢"
_UNASSIGNED = "\uffff"
"""Stands for no letter, so that every font draws its sign for a missing one."""

_SUFFIXES = (".ttf", ".otf", ".ttc")
_LIKELY = (
    "notosanscjk", "notosansjp", "sourcehansans", "hiragino", "yugoth", "meiryo", "bizud",
    "msgothic", "ipaexg", "ipag", "takao", "vl-", "migmix", "mplus", "cjk", "gothic", "jp",
)  # fmt: skip


def typeface(size: int) -> Font:
    """An installed font with Latin and Japanese letters, else DejaVu, which has no Japanese."""
    return ImageFont.truetype(_installed() or _own(), size)


def font_file() -> str | None:
    """The file of an installed font with Latin and Japanese letters, if there is one."""
    return _installed()


def readable(text: str) -> bool:
    """Whether the font at hand has the letters of `text`: a row of boxes says nothing."""
    return text.isascii() or _draws(typeface(16), text)


def wrapped(text: str, font: Font, width: int, lines: int) -> list[str]:
    """`text` in at most so many lines of `width` pixels, with … where it had to end."""
    done: list[str] = []
    rest = text.strip()
    while rest and len(done) < lines:
        line = _head(rest, font, width)
        done.append(line.rstrip())
        rest = rest[len(line) :].lstrip()
    if rest:
        done[-1] = _cut(f"{done[-1]}…", font, width)
    return done


def _head(text: str, font: Font, width: int) -> str:
    """What of `text` fits on a line; broken at a space, or anywhere where there is none."""
    if font.getlength(text) <= width:
        return text
    fits = 1
    while fits < len(text) and font.getlength(text[: fits + 1]) <= width:
        fits += 1
    space = text.rfind(" ", 0, fits + 1)
    return text[:space] if space > 0 else text[:fits]


def _cut(text: str, font: Font, width: int) -> str:
    while len(text) > 1 and font.getlength(text) > width:
        text = f"{text[:-2]}…"
    return text


@functools.cache
def _installed() -> str | None:
    """The file of the first font that draws what is wanted."""
    for path in _candidates():
        try:
            if _draws(ImageFont.truetype(str(path), 16), _WANTED):
                return str(path)
        except OSError:
            continue  # not a font that FreeType reads
    return None


def _own() -> str:
    """The font that matplotlib brings, with Latin and Greek letters."""
    import matplotlib as mpl

    return str(Path(mpl.get_data_path(), "fonts", "ttf", "DejaVuSans.ttf"))


def _draws(font: Font, text: str) -> bool:
    missing = _drawn(font, _UNASSIGNED)
    return all(letter.isspace() or _drawn(font, letter) != missing for letter in set(text))


def _drawn(font: Font, letter: str) -> bytes:
    image = Image.new("L", (32, 32))
    ImageDraw.Draw(image).text((4, 4), letter, fill=255, font=font)
    return image.tobytes()


def _candidates() -> Iterator[Path]:
    if named := _fontconfig():
        yield Path(named)
    found = {
        path
        for folder in _folders()
        if folder.is_dir()
        for path in folder.rglob("*")
        if path.suffix.lower() in _SUFFIXES
    }
    yield from sorted(found, key=lambda path: (_likelihood(path.name), str(path)))


def _likelihood(name: str) -> int:
    """Its place among the likely names, plain cuts before bold ones."""
    plain = name.lower().replace(" ", "")
    place = next((n for n, part in enumerate(_LIKELY) if part in plain), len(_LIKELY))
    return 2 * place + any(cut in plain for cut in ("bold", "black", "heavy", "italic"))


def _fontconfig() -> str:
    """The font that the user's settings prefer for Japanese; it may have none of its letters."""
    program = shutil.which("fc-match")
    if program is None:
        return ""
    try:
        asked = [program, "-f", "%{file}", "sans:lang=ja"]
        done = subprocess.run(asked, capture_output=True, timeout=20, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return os.fsdecode(done.stdout)


def _folders() -> list[Path]:
    home = Path.home()
    if sys.platform == "win32":
        roots = [Path(os.environ.get("WINDIR", "C:/Windows")) / "Fonts"]
        local = os.environ.get("LOCALAPPDATA")
        return [*roots, *([Path(local) / "Microsoft/Windows/Fonts"] if local else [])]
    if sys.platform == "darwin":
        return [home / "Library/Fonts", Path("/Library/Fonts"), Path("/System/Library/Fonts")]
    own = os.environ.get("XDG_DATA_HOME") or home / ".local/share"
    shared = os.environ.get("XDG_DATA_DIRS") or "/usr/local/share:/usr/share"
    return [Path(folder) / "fonts" for folder in (own, *shared.split(":"))] + [home / ".fonts"]
