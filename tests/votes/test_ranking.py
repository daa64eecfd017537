"""Votes on a grid: kept, taken back, added from elsewhere, and ranked."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from grids import PROMPTS, TS, make_grid
from tiny import cli

from sdmerge.errors import CorruptFile, InputError
from sdmerge.sample.grid import VOTES, Cell, read_cells
from sdmerge.votes import Game, Vote, add_votes, fit, rank, read_votes
from sdmerge.votes.ledger import read_lines

AT = "2026-11-22T12:00:00.000Z"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return make_grid(tmp_path / "grid")


def by_place(folder: Path) -> dict[tuple[float, str, int], Cell]:
    return {(c.values["t"], c.prompt, c.seed): c for c in read_cells(folder).values()}


def line(number: int, left: str, right: str, choice: str) -> dict[str, str]:
    return {"id": f"{number:016x}", "left": left, "right": right, "choice": choice, "at": AT}


def duels(folder: Path, results: list[tuple[float, float, str]]) -> list[dict[str, str]]:
    cells = by_place(folder)
    return [
        line(n, cells[a, PROMPTS[n % 3], 7].id, cells[b, PROMPTS[n % 3], 7].id, choice)
        for n, (a, b, choice) in enumerate(results)
    ]


def test_votes_are_kept_once_and_may_be_taken_back(folder: Path) -> None:
    lines = duels(folder, [(0.0, 1.0, "left"), (0.0, 1.0, "right")])
    assert read_votes(folder) == ()
    assert add_votes(folder, lines, "test") == 2
    assert add_votes(folder, lines, "test") == 0
    assert add_votes(folder, [{"undo": lines[0]["id"], "at": AT}], "test") == 1
    assert [vote.choice for vote in read_votes(folder)] == ["right"]
    assert read_votes(folder)[0] == Vote(*(lines[1][k] for k in ("id", "left", "right", "choice")))
    assert len((folder / VOTES).read_text().splitlines()) == 3


@pytest.mark.parametrize(
    "change",
    [
        {"choice": "middle"}, {"choice": None}, {"id": "X"}, {"id": "0" * 100}, {"left": "none"},
        {"right": 3}, {"at": "x" * 41}, {"undo": "nothing"}, {"at": None},
    ],
)  # fmt: skip
def test_what_is_no_vote_is_refused(folder: Path, change: dict[str, object]) -> None:
    good, bad = duels(folder, [(0.0, 1.0, "left"), (0.0, 0.5, "left")])
    with pytest.raises(InputError):
        add_votes(folder, [good, {**bad, **change}], "test")
    assert not (folder / VOTES).exists()


def test_a_picture_against_itself_is_no_vote(folder: Path) -> None:
    bad = duels(folder, [(0.0, 0.0, "left")])
    with pytest.raises(InputError, match="two cells"):
        add_votes(folder, bad, "test")


def test_more_than_belongs_there_is_not_kept(folder: Path) -> None:
    (good,) = duels(folder, [(0.0, 1.0, "left")])
    add_votes(folder, [{**good, "name": "x" * 10_000}], "test")
    assert read_lines(folder / VOTES) == [good]


def test_a_broken_line_is_named(folder: Path) -> None:
    (folder / VOTES).write_text('{"id": 3}\n')
    with pytest.raises(InputError) as caught:
        read_votes(folder)
    assert caught.value.where.endswith("votes.jsonl:1")
    (folder / VOTES).write_text("x\n")
    with pytest.raises(CorruptFile):
        read_votes(folder)


def test_the_ranking_is_that_of_the_games(folder: Path) -> None:
    results = [
        (0.5, 0.0, "left"), (1.0, 0.5, "right"), (0.5, 0.25, "tie"), (0.75, 1.0, "left"),
        (0.25, 0.0, "bad"), (0.5, 0.75, "left"), (0.0, 0.25, "right"),
    ]  # fmt: skip
    add_votes(folder, duels(folder, results), "test")
    share = {"left": 1.0, "right": 0.0, "tie": 0.5}
    games = [
        Game(TS.index(a), TS.index(b), share[choice]) for a, b, choice in results if choice in share
    ]
    expected = fit(len(TS), games)
    found = rank(folder)
    assert (found.by, found.votes) == ("t", 6)
    assert {one.key: one.strength for one in found.standings} == pytest.approx(
        dict(zip(TS, expected.theta, strict=True))
    )
    strengths = [one.strength for one in found.standings]
    assert strengths == sorted(strengths, reverse=True)
    assert found.standings[0].key == 0.5
    assert [one.votes for one in found.standings if one.key == 0.5] == [4]
    recipes = rank(folder, "recipe")
    assert recipes.standings[0].key == f"{50:032x}"
    assert [one.strength for one in recipes.standings] == pytest.approx(strengths)


def test_votes_that_set_nothing_apart_do_not_count(folder: Path) -> None:
    cells = by_place(folder)
    lines = [
        line(n, cells[0.5, PROMPTS[0], 7].id, cells[0.5, PROMPTS[0], 8].id, "left")
        for n in range(3)
    ]
    add_votes(folder, lines, "test")
    assert rank(folder, "t").votes == 0
    assert rank(folder).by == "seed"
    assert rank(folder).standings[0].key == 7
    with pytest.raises(InputError, match="no axis 'x'"):
        rank(folder, "x")


def test_votes_on_cells_that_are_gone_do_not_count(folder: Path) -> None:
    add_votes(folder, duels(folder, [(0.5, 0.0, "left"), (1.0, 0.5, "right")]), "test")
    cells = (folder / "cells.jsonl").read_text().splitlines(keepends=True)
    gone = by_place(folder)[0.0, PROMPTS[0], 7].id
    kept = "".join(text for text in cells if json.loads(text)["id"] != gone)
    (folder / "cells.jsonl").write_text(kept)
    assert rank(folder).votes == 1


def test_the_command_ranks(folder: Path, tmp_path: Path) -> None:
    lines = duels(folder, [(0.5, t, "left") for t in TS if t != 0.5] * 12)
    sent = tmp_path / "sent.jsonl"
    sent.write_text("".join(json.dumps(entry) + "\n" for entry in lines))
    said = cli("vote", folder, "--add", sent)
    assert said.code == 0
    assert "settled: 0.5 is best" in said.out
    assert "48 new lines" in said.err
    assert "0 new lines" in cli("vote", folder, "--add", sent).err
    quiet = cli("vote", folder, "--rank", "-q").out.splitlines()
    assert quiet[0] == "0.5"
    assert sorted(quiet) == sorted(f"{t:g}" for t in TS)
    data = json.loads(cli("vote", folder, "--rank", "--by", "prompt", "--json").out)
    assert (data["by"], data["votes"], data["settled"]) == ("prompt", 0, False)
    for arguments in (["--by", "x"], ["--add", folder / "grid.yaml"], ["--rank", "--by", "x"]):
        assert cli("vote", folder, *arguments).code == 2
    assert cli("vote", tmp_path).code == 2


def test_votes_of_another_grid_are_refused(folder: Path, tmp_path: Path) -> None:
    other = make_grid(tmp_path / "other", ts=(0.1, 0.2))
    cells = list(read_cells(other))
    sent = tmp_path / "sent.jsonl"
    sent.write_text(json.dumps(line(1, cells[0], cells[1], "left")) + "\n")
    said = cli("vote", folder, "--add", sent)
    assert said.code == 2
    assert "the grid has no cell" in said.err
    assert not (folder / VOTES).exists()


def test_one_value_is_nothing_to_compare(tmp_path: Path) -> None:
    folder = make_grid(tmp_path, ts=(0.5,))
    said = cli("vote", folder, "--rank", "--by", "t")
    assert said.code == 2
    assert "nothing to compare by t" in said.err
