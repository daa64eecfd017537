"""Trials in a real PostgreSQL: the same as in the journal, whatever happens meanwhile."""

from __future__ import annotations

import os
import sys
import threading
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import optuna
import pytest

from evolve.analytic import Weights, decided, options, search, told_of
from evolve.postgresql import programs, server
from sdmerge.errors import Cancelled, InputError, ResourceError
from sdmerge.evolve.ledger import Description, Journal, Ledger, Trial, create
from sdmerge.evolve.ledger.database import close_database, open_database
from sdmerge.evolve.run import Budget, Progress

if os.name != "posix":
    pytest.skip("the server's socket is a Unix one", allow_module_level=True)
psycopg = pytest.importorskip("psycopg", reason="PostgreSQL's driver is not installed")


@pytest.fixture(scope="module")
def running() -> Iterator[str]:
    """A server of our own, by the URL of a database in it."""
    found = programs()
    if found is None:
        pytest.skip("PostgreSQL is not installed: there is no initdb")
    with server(found) as url:
        yield url


@pytest.fixture
def url(running: str, request: pytest.FixtureRequest) -> str:
    """A database for this test."""
    name = request.node.name[:60]
    command(running, f'CREATE DATABASE "{name}"')
    return running.replace("/postgres?", f"/{name}?")


def command(url: str, text: str) -> None:
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(text)


def told_in(url: str) -> list[list[tuple[Any, ...]]]:
    """What each study in the database decided."""
    storage = open_database(url)
    try:
        names = sorted(one.study_name for one in storage.get_all_studies())
        return [decided(optuna.load_study(study_name=name, storage=storage)) for name in names]
    finally:
        close_database(storage)


def journal(folder: Path, url: str) -> Any:
    create(folder, Description("recipe"), resume=True)
    return closing(Journal(folder, Weights().genes, ["fit"], url=url))


def trial(slot: int) -> Trial:
    return Trial("candidate", 0, slot, (float(slot),), Weights().init)


def test_a_search_that_was_stopped_decides_the_same(url: str, tmp_path: Path) -> None:
    stop, seen = threading.Event(), list[Progress]()

    def count(progress: Progress) -> None:
        seen.append(progress)
        if len(seen) == 20:
            stop.set()

    budget, chosen = Budget(trials=36), options(halving=3)
    with pytest.raises(Cancelled):
        search(tmp_path / "cut", chosen, budget, url=url, told=count, cancel=stop)
    begun = len(told_in(url)[0])
    search(tmp_path / "cut", chosen, budget, url=url)
    search(tmp_path / "whole", chosen, budget)
    assert told_in(url) == [told_of(tmp_path / "whole")]
    assert 0 < begun < len(told_of(tmp_path / "whole"))
    assert Ledger(tmp_path / "cut").generations == Ledger(tmp_path / "whole").generations
    assert not (tmp_path / "cut" / "journal.log").exists()


def test_two_folders_of_one_name_are_two_studies(url: str, tmp_path: Path) -> None:
    for place, seed in (("a", 1), ("b", 2)):
        search(tmp_path / place / "s", options("random", seed=seed), Budget(trials=3), url=url)
    assert sorted(map(str, told_in(url))) == sorted(str(told_of_file(tmp_path, n)) for n in (1, 2))


def told_of_file(tmp_path: Path, seed: int) -> list[tuple[Any, ...]]:
    folder = tmp_path / f"file-{seed}"
    search(folder, options("random", seed=seed), Budget(trials=3))
    return told_of(folder)


def test_a_connection_that_the_server_ended_is_opened_again(url: str, tmp_path: Path) -> None:
    with journal(tmp_path, url) as opened:
        opened.add(trial(0))
        others = "pid <> pg_backend_pid() AND datname = current_database()"
        command(url, f"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE {others}")
        opened.add(trial(1))
    assert [values for _, _, values, *_ in told_in(url)[0]] == [[0.0], [1.0]]


def test_a_database_that_goes_away_is_said_in_words(running: str, url: str, tmp_path: Path) -> None:
    name = url.partition("?")[0].rpartition("/")[2]
    with journal(tmp_path, url) as opened:
        opened.add(trial(0))
        command(running, f'DROP DATABASE "{name}" WITH (FORCE)')
        with pytest.raises(ResourceError, match="does not take a trial") as caught:
            opened.add(trial(1))
    assert "--resume" in str(caught.value.hint)


def test_nobody_there_is_said_without_the_password(tmp_path: Path) -> None:
    url = f"postgresql://me:secret@/mine?host={tmp_path}"
    with pytest.raises(InputError, match="cannot be opened") as caught, journal(tmp_path, url):
        pass
    assert "me:***@" in str(caught.value.where)
    assert "secret" not in f"{caught.value} {caught.value.where} {caught.value.hint}"


def test_a_missing_driver_is_said_with_what_to_install(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "psycopg", None)
    with pytest.raises(InputError, match="driver") as caught, journal(tmp_path, "postgres://x/y"):
        pass
    assert "pip install 'sdmerge[postgres]'" in str(caught.value.hint)
