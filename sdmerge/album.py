"""Albums: folders of pictures, each with a caption if a text file of its name lies beside it."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from sdmerge.errors import FileError

PICTURES = (".png", ".webp", ".jpg", ".jpeg", ".bmp")


@dataclass(frozen=True, slots=True)
class Reference:
    """A picture, and what it shows in words; "" where nothing says so."""

    path: Path
    caption: str


Album = tuple[Reference, ...]


def pictures_in(folder: Path) -> list[Path]:
    """The pictures of a folder, in the order of their names; none is an error."""
    if not folder.is_dir():
        raise FileError("there is no such folder of pictures", where=str(folder))
    found = [path for path in folder.iterdir() if path.suffix.lower() in PICTURES]
    if not found:
        kinds = ", ".join(PICTURES)
        raise FileError(f"holds no pictures ({kinds})", where=str(folder))
    return sorted(found, key=lambda path: path.name)


def read_album(folder: Path) -> Album:
    """The folder's pictures; a caption is the first line of a NAME.txt beside NAME.png."""
    return tuple(Reference(path, _caption(path)) for path in pictures_in(folder))


def address(album: Sequence[Reference]) -> str:
    """A hash of the pictures' bytes and captions, in their order."""
    digest = hashlib.blake2b(digest_size=16)
    for one in album:
        try:
            digest.update(hashlib.sha256(one.path.read_bytes()).digest())
        except OSError as error:
            raise FileError(f"cannot be read: {error.strerror}", where=str(one.path)) from error
        digest.update(hashlib.sha256(one.caption.encode()).digest())
    return digest.hexdigest()


def _caption(picture: Path) -> str:
    path = picture.with_suffix(".txt")
    try:
        lines = path.read_text("utf-8").splitlines()
    except FileNotFoundError:
        return ""
    except (OSError, UnicodeDecodeError) as error:
        raise FileError(f"this is not a text file: {error}", where=str(path)) from None
    return next((line.strip() for line in lines if line.strip()), "")
