"""The page that asks for votes, on this machine alone.

It listens on 127.0.0.1 on a free port, and answers only to those who know a random word in the
address: other programs and web pages on this machine do not. It gives out the page and the pictures
of one grid, by name, and takes votes.
"""

from __future__ import annotations

import json
import secrets
from functools import partial
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Lock
from typing import Any
from urllib.parse import unquote, urlsplit

from sdmerge.errors import SdmergeError
from sdmerge.sample.grid import VOTES, picture_path, read_cells
from sdmerge.sample.viewer import page
from sdmerge.votes.ledger import add_votes, read_lines

_LARGEST = 4096
_TYPES = {".png": "image/png", ".webp": "image/webp"}
_HTML, _TEXT = "text/html; charset=utf-8", "text/plain; charset=utf-8"


class VoteServer(ThreadingHTTPServer):
    """Serves the grid in `folder` until it is shut down; `url` is where."""

    daemon_threads = True

    def __init__(self, folder: Path) -> None:
        self.word = secrets.token_urlsafe(18)
        self.lock = Lock()
        super().__init__(("127.0.0.1", 0), partial(_Handler, folder=folder))

    @property
    def host(self) -> str:
        """Name and port, as browsers say them."""
        return f"127.0.0.1:{self.server_port}"

    @property
    def url(self) -> str:
        """The page's address, voting."""
        return f"http://{self.host}/{self.word}/#view=vote"


class _Handler(BaseHTTPRequestHandler):
    """One request."""

    server: VoteServer  # pyright: ignore[reportIncompatibleVariableOverride]  it serves no other
    timeout = 30

    def __init__(self, *args: Any, folder: Path) -> None:
        self.folder = folder
        super().__init__(*args)

    def do_GET(self) -> None:
        name = self._name()
        if name is None:
            return self._say(HTTPStatus.NOT_FOUND)
        if name == "":
            votes = read_lines(self.folder / VOTES)
            text = page(self.folder, votes=votes, post="votes")
            return self._answer(HTTPStatus.OK, _HTML, text.encode())
        pictures = {cell.file: cell for cell in read_cells(self.folder).values()}
        cell = pictures.get(name)  # only names that the grid lists: a path cannot lead elsewhere
        path = picture_path(self.folder, cell) if cell else None
        if path is None or not path.is_file():
            return self._say(HTTPStatus.NOT_FOUND)
        return self._answer(HTTPStatus.OK, _TYPES[path.suffix.lower()], path.read_bytes())

    def do_POST(self) -> None:
        if self._name() != "votes":
            return self._say(HTTPStatus.NOT_FOUND)
        if self.headers.get_content_type() != "application/json":
            return self._say(HTTPStatus.UNSUPPORTED_MEDIA_TYPE)
        length = self.headers.get("Content-Length", "")
        if not length.isdecimal() or int(length) > _LARGEST:
            return self._say(HTTPStatus.REQUEST_ENTITY_TOO_LARGE)
        try:
            line = json.loads(self.rfile.read(int(length)))
            with self.server.lock:
                add_votes(self.folder, [dict(line)], "the page")
        except (SdmergeError, ValueError, TypeError) as error:
            return self._answer(HTTPStatus.BAD_REQUEST, _TEXT, str(error).encode())
        return self._say(HTTPStatus.NO_CONTENT)

    def _name(self) -> str | None:
        """What is asked for, after the word; None for those who do not know it.

        The host has to be ours too: a web page whose name leads here would send its own.
        """
        _, word, *rest = unquote(urlsplit(self.path).path).split("/")
        knows = secrets.compare_digest(word.encode(), self.server.word.encode())
        origin = self.headers.get("Origin", f"http://{self.server.host}")
        ours = self.headers.get("Host") == self.server.host
        if not knows or not ours or origin != f"http://{self.server.host}" or not rest:
            return None
        return "/".join(rest)

    def _say(self, status: HTTPStatus) -> None:
        self._answer(status, _TEXT, b"" if status == HTTPStatus.NO_CONTENT else b"no")

    def _answer(self, status: HTTPStatus, kind: str, content: bytes) -> None:
        self.send_response(status)
        for name, value in (
            ("Content-Type", kind),
            ("Content-Length", str(len(content))),
            ("Cache-Control", "no-store" if kind in (_HTML, _TEXT) else "private, max-age=3600"),
            ("X-Content-Type-Options", "nosniff"),
            ("Referrer-Policy", "no-referrer"),
        ):
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the base names it so
        """Say nothing: the command says what there is to say."""
