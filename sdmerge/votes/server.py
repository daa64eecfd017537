"""The page that asks for votes, on this machine alone.

It listens on 127.0.0.1 on a free port, and answers only to those who know a random word in the
address: other programs and web pages on this machine do not. It gives out the page and the pictures
of one grid, by name, and takes votes.
"""

from __future__ import annotations

import secrets
from functools import partial
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

from sdmerge.errors import SdmergeError
from sdmerge.votes.booth import LARGEST, POST, TYPES, Booth

_HTML, _TEXT = "text/html; charset=utf-8", "text/plain; charset=utf-8"


class VoteServer(ThreadingHTTPServer):
    """Serves the grid in `folder` until it is shut down; `url` is where."""

    daemon_threads = True

    def __init__(self, folder: Path) -> None:
        self.word = secrets.token_urlsafe(18)
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
        self.booth = Booth(folder)
        super().__init__(*args)

    def do_GET(self) -> None:
        name = self._name()
        if name is None:
            return self._say(HTTPStatus.NOT_FOUND)
        if name == "":
            return self._answer(HTTPStatus.OK, _HTML, self.booth.page().encode())
        path = self.booth.picture(name)
        if path is None:
            return self._say(HTTPStatus.NOT_FOUND)
        return self._answer(HTTPStatus.OK, TYPES[path.suffix.lower()], path.read_bytes())

    def do_POST(self) -> None:
        if self._name() != POST:
            return self._say(HTTPStatus.NOT_FOUND)
        if self.headers.get_content_type() != "application/json":
            return self._say(HTTPStatus.UNSUPPORTED_MEDIA_TYPE)
        length = self.headers.get("Content-Length", "")
        if not length.isdecimal() or int(length) > LARGEST:
            return self._say(HTTPStatus.REQUEST_ENTITY_TOO_LARGE)
        try:
            self.booth.cast(self.rfile.read(int(length)))
        except SdmergeError as error:
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
