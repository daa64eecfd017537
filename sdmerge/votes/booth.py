"""Booth: the voting page of one grid, whoever serves it: the page, its pictures, and the votes."""

from __future__ import annotations

import json
from pathlib import Path
from threading import Lock

from sdmerge.errors import InputError
from sdmerge.sample.grid import VOTES, picture_path, read_cells
from sdmerge.sample.viewer import page
from sdmerge.votes.ledger import add_votes, read_lines

POST = "votes"
"""Where the page sends votes to, beside its own address."""
LARGEST = 4096
"""Bytes of a vote."""
TYPES = {".png": "image/png", ".webp": "image/webp"}

_LOCK = Lock()


class Booth:
    """The grid in `folder`. A page may ask for anything: only what the grid lists is given out."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def page(self) -> str:
        """The viewer, with the votes so far; it sends new ones to POST."""
        return page(self.folder, votes=read_lines(self.folder / VOTES), post=POST)

    def picture(self, name: str) -> Path | None:
        """The file of a picture by its name in the grid; None if the grid has none of that name."""
        cell = next((one for one in read_cells(self.folder).values() if one.file == name), None)
        path = picture_path(self.folder, cell) if cell else None
        # a grid may come from anyone, and its pictures may be links
        inside = path is not None and path.resolve().is_relative_to(self.folder.resolve())
        return path if inside and path is not None and path.is_file() else None

    def cast(self, body: bytes) -> None:
        """Add a vote as the page sends it; an InputError if it is none of this grid."""
        try:
            line = dict(json.loads(body))
        except (ValueError, TypeError):
            raise InputError("this is not a vote", where="the page") from None
        with _LOCK:
            add_votes(self.folder, [line], "the page")
