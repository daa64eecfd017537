"""Talk between processes on one machine: JSON and bytes over a local socket, with a shared key.

Nothing is pickled. Who does not know the key, which lies in a file of the user's own, is not heard.
"""

from __future__ import annotations

import contextlib
import json
import threading
from collections.abc import Callable, Generator, Mapping, Sequence
from multiprocessing import AuthenticationError
from multiprocessing.connection import (
    Client,
    Listener,
    answer_challenge,
    deliver_challenge,
)
from typing import TYPE_CHECKING, Any, TypeAlias

from sdmerge.errors import SdmergeError
from sdmerge.jobs.lanes import Lane

if TYPE_CHECKING:
    from multiprocessing.connection import Connection, PipeConnection

# Windows has another class of the same methods
Talk: TypeAlias = "Connection[Any, Any] | PipeConnection[Any, Any]"
"""A connection, at either end."""

_HOST = "127.0.0.1"

Answer = tuple[Mapping[str, Any], Sequence[bytes]]
"""What is answered: JSON, and as many pieces of bytes as there are."""

Handler = Callable[[Mapping[str, Any]], Answer]


class Desk:
    """Listens for a lane's worker; every connection is served by a thread of its own."""

    def __init__(self, lane: Lane, handle: Handler) -> None:
        self._lane, self._handle = lane, handle
        self._listener = Listener((_HOST, 0))
        self._key = lane.announce(self._listener.address[1])  # pyright: ignore[reportArgumentType]
        threading.Thread(target=self._listen, daemon=True, name="sdmerge-desk").start()

    def close(self) -> None:
        """Hear no more."""
        self._lane.withdraw()
        self._listener.close()

    def _listen(self) -> None:
        while True:
            try:
                connection: Talk = self._listener.accept()
            except OSError:
                return  # closed
            threading.Thread(target=self._serve, args=(connection,), daemon=True).start()

    def _serve(self, connection: Talk) -> None:
        # a caller that goes away, or never knew the key, is no concern of others
        with connection, contextlib.suppress(OSError, EOFError, AuthenticationError):
            deliver_challenge(connection, self._key)
            answer_challenge(connection, self._key)
            while True:
                asked = json.loads(connection.recv_bytes())
                data, pieces = self._answer(asked)
                connection.send_bytes(json.dumps({**data, "pieces": len(pieces)}).encode())
                for piece in pieces:
                    connection.send_bytes(piece)

    def _answer(self, asked: Mapping[str, Any]) -> Answer:
        try:
            return self._handle(asked)
        except SdmergeError as error:
            told = {"what": error.what, "where": error.where, "hint": error.hint}
            return {"error": {**told, "exit_code": error.exit_code}}, ()


@contextlib.contextmanager
def calling(port: int, key: bytes) -> Generator[Talk]:
    """A connection to a desk, both sides having shown that they know the key."""
    with Client((_HOST, port)) as connection:
        answer_challenge(connection, key)
        deliver_challenge(connection, key)
        yield connection


def ask(connection: Talk, asked: Mapping[str, Any]) -> Answer:
    """What a desk answers; an error of ours if it says so."""
    connection.send_bytes(json.dumps(asked).encode())
    data: dict[str, Any] = json.loads(connection.recv_bytes())
    pieces = [connection.recv_bytes() for _ in range(data.pop("pieces"))]
    return data, pieces
