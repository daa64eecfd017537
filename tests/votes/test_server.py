"""The vote server: it knows its visitors, gives out one grid, and takes votes."""

from __future__ import annotations

import http.client
import json
import re
import signal
import subprocess
import sys
import threading
import urllib.request
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from grids import make_grid
from tiny import ROOT

from sdmerge.sample.grid import VOTES, read_cells
from sdmerge.votes import read_votes
from sdmerge.votes.server import VoteServer

AT = "2026-11-22T12:00:00.000Z"


@pytest.fixture
def server(tmp_path: Path) -> Iterator[VoteServer]:
    make_grid(tmp_path / "grid")
    with VoteServer(tmp_path / "grid") as started:
        thread = threading.Thread(target=started.serve_forever, args=(0.01,))
        thread.start()
        yield started
        started.shutdown()
        thread.join()


def ask(
    server: VoteServer, path: str, method: str = "GET", body: bytes | None = None, **headers: str
) -> tuple[int, bytes, dict[str, str]]:
    connection = http.client.HTTPConnection("127.0.0.1", server.server_port, timeout=5)
    sent = {name.replace("_", "-"): value for name, value in headers.items()}
    connection.request(method, path, body, sent)
    answer = connection.getresponse()
    found = answer.status, answer.read(), {k.lower(): v for k, v in answer.getheaders()}
    connection.close()
    return found


def vote(server: VoteServer, number: int = 0, **changes: object) -> bytes:
    folder = server.RequestHandlerClass.keywords["folder"]  # type: ignore[attr-defined]
    left, right = list(read_cells(folder))[:2]
    entry = {"id": f"{number:016x}", "left": left, "right": right, "choice": "left", "at": AT}
    return json.dumps({**entry, **changes}).encode()


def test_it_listens_here_alone(server: VoteServer) -> None:
    assert server.server_address[0] == "127.0.0.1"
    assert len(server.word) >= 20


def test_page_and_pictures(server: VoteServer, tmp_path: Path) -> None:
    status, content, headers = ask(server, f"/{server.word}/")
    assert (status, headers["content-type"]) == (200, "text/html; charset=utf-8")
    assert b'"post":"votes"' in content
    assert headers["referrer-policy"] == "no-referrer"
    for cell in list(read_cells(tmp_path / "grid").values())[:3]:
        status, content, headers = ask(server, f"/{server.word}/{cell.file}")
        assert (status, headers["content-type"]) == (200, "image/png")
        assert content == (tmp_path / "grid" / cell.file).read_bytes()


@pytest.mark.parametrize(
    "path",
    [
        "/", "/x", "/x/", "/WORD", "/WORD/grid.yaml", "/WORD/votes", "/WORD/cells.jsonl",
        "/WORD/../grid.yaml", "/WORD/cells/../grid.yaml", "/WORD/%2e%2e/x", "/WORD//etc/passwd",
        "/WORD/cells/", "/WORD/cells/none.png", "/WORD/..%5cx",
    ],
)  # fmt: skip
def test_nothing_else(server: VoteServer, path: str) -> None:
    assert ask(server, path.replace("WORD", server.word))[0] == 404


def test_others_are_turned_away(server: VoteServer, tmp_path: Path) -> None:
    """Without the word, under another name (DNS rebinding), or from another page."""
    port = server.server_port
    kind = {"Content_Type": "application/json"}
    assert ask(server, f"/{server.word[:-1]}/")[0] == 404
    for host in ("evil.example", f"evil.example:{port}", f"localhost.evil.example:{port}", ""):
        assert ask(server, f"/{server.word}/", Host=host)[0] == 404
    for origin in ("https://evil.example", "null", f"http://127.0.0.1:{port + 1}"):
        found = ask(server, f"/{server.word}/votes", "POST", vote(server), Origin=origin, **kind)
        assert found[0] == 404
    assert ask(server, "/votes", "POST", vote(server), **kind)[0] == 404
    assert not (tmp_path / "grid" / VOTES).exists()


def test_a_vote_is_written_at_once(server: VoteServer, tmp_path: Path) -> None:
    origin = f"http://127.0.0.1:{server.server_port}"
    kind = {"Content_Type": "application/json", "Origin": origin}
    assert ask(server, f"/{server.word}/votes", "POST", vote(server), **kind)[0] == 204
    assert [one.choice for one in read_votes(tmp_path / "grid")] == ["left"]
    assert b"0000000000000000" in ask(server, f"/{server.word}/")[1]


@pytest.mark.parametrize(
    ("body", "kind", "status"),
    [
        (b"{", "application/json", 400),
        (b"[]", "application/json", 400),
        (b"3", "application/json", 400),
        (b"\xff", "application/json", 400),
        (b"{}", "text/plain", 415),
        (b"{}", "application/x-www-form-urlencoded", 415),
        (b" " * 5000, "application/json", 413),
    ],
)
def test_what_is_no_vote(
    server: VoteServer, tmp_path: Path, body: bytes, kind: str, status: int
) -> None:
    assert ask(server, f"/{server.word}/votes", "POST", body, Content_Type=kind)[0] == status
    assert not (tmp_path / "grid" / VOTES).exists()


def test_votes_on_other_cells(server: VoteServer, tmp_path: Path) -> None:
    body = vote(server, right="../../x")
    kind = "application/json"
    status, said, _ = ask(server, f"/{server.word}/votes", "POST", body, Content_Type=kind)
    assert (status, b"no cell" in said) == (400, True)
    assert not (tmp_path / "grid" / VOTES).exists()


def test_many_at_once(server: VoteServer, tmp_path: Path) -> None:
    """And each twice, as a browser does that has lost the answer."""

    def send(number: int) -> int:
        path = f"/{server.word}/votes"
        body = vote(server, number % 20)
        return ask(server, path, "POST", body, Content_Type="application/json")[0]

    with ThreadPoolExecutor(8) as pool:
        assert set(pool.map(send, range(40))) == {204}
    assert len(read_votes(tmp_path / "grid")) == 20
    assert len((tmp_path / "grid" / VOTES).read_text().splitlines()) == 20


@pytest.mark.skipif(sys.platform == "win32", reason="ctrl-C cannot be sent to one process there")
def test_the_command_serves_until_it_is_stopped(tmp_path: Path) -> None:
    folder = make_grid(tmp_path / "grid")
    asked = [sys.executable, "-u", "-m", "sdmerge", "vote", str(folder), "--no-open"]
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    with subprocess.Popen(asked, cwd=ROOT, **pipes) as run:
        try:
            assert run.stderr is not None
            address = re.findall(r"http://\S+", run.stderr.readline())[0]
            with urllib.request.urlopen(address.partition("#")[0], timeout=60) as answer:
                assert b"sdmerge" in answer.read()
            run.send_signal(signal.SIGINT)
            out, err = run.communicate(timeout=120)
        finally:
            run.kill()
    assert run.returncode == 0, err
    assert "0 votes that tell; not settled yet" in out
