"""A ranking of recipes, or of an axis's values, from the votes on a grid."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from sdmerge.errors import InputError
from sdmerge.sample.grid import Cell, Grid, Value, read_cells, read_grid, value_key
from sdmerge.votes.ledger import Choice, Vote, read_votes
from sdmerge.votes.strengths import Game, Strengths, fit

RECIPE = "recipe"
"""`by` this, cells of one recipe count as one."""

_SHARE: Mapping[Choice, float] = {"left": 1.0, "right": 0.0, "tie": 0.5}


@dataclass(frozen=True, slots=True)
class Standing:
    """One item. `key` is a recipe id or an axis's value; `rate` how often it beats the others."""

    key: Value
    label: str
    votes: int
    strength: float
    rate: float
    low: float
    high: float


@dataclass(frozen=True, slots=True)
class Ranking:
    """Standings from the best on; `settled` once the leader is ahead beyond doubt (95 %)."""

    by: str
    standings: tuple[Standing, ...]
    votes: int
    settled: bool


def rank(folder: Path, by: str | None = None) -> Ranking:
    """Rank what was voted on in the grid in `folder`, by recipe or by the axis of that name.

    By default the axis is the one that most votes are about. Votes that set no two items apart,
    and "both bad", say nothing of the order.
    """
    grid, cells = read_grid(folder), read_cells(folder)
    votes = [vote for vote in read_votes(folder) if vote.left in cells and vote.right in cells]
    axis = by or _most_voted(grid, cells, votes)
    items = _items(grid, cells, axis)
    if len(items) < 2:
        raise InputError(f"there is nothing to compare by {axis}", where=str(folder))
    numbers = {key: number for number, key in enumerate(items)}
    games = _games(cells, votes, axis, numbers)
    return _ranking(axis, items, games, fit(len(items), games))


def _most_voted(grid: Grid, cells: Mapping[str, Cell], votes: list[Vote]) -> str:
    """The axis that sets the most pairs apart; among equals the first."""
    counts = {
        axis.name: sum(
            _key(cells[vote.left], axis.name) != _key(cells[vote.right], axis.name)
            for vote in votes
        )
        for axis in grid.axes
    }
    return max(counts, key=lambda name: counts[name])


def _items(grid: Grid, cells: Mapping[str, Cell], by: str) -> dict[str, tuple[Value, str]]:
    """Key → what it stands for and how people read it."""
    if by == RECIPE:
        ids = dict.fromkeys(cell.recipe_id for cell in cells.values())
        return {value_key(name): (name, name[:12]) for name in ids}
    axis = grid.axis(by)
    return {value_key(value): (value, axis.label(value)) for value in axis.values}


def _key(cell: Cell, by: str) -> str:
    return value_key(cell.recipe_id if by == RECIPE else cell.values.get(by))


def _games(
    cells: Mapping[str, Cell], votes: list[Vote], by: str, numbers: Mapping[str, int]
) -> list[Game]:
    games: list[Game] = []
    for vote in votes:
        one, two = (numbers.get(_key(cells[name], by)) for name in (vote.left, vote.right))
        share = _SHARE.get(vote.choice)
        if one is not None and two is not None and one != two and share is not None:
            games.append(Game(one, two, share))
    return games


def _ranking(
    by: str, items: Mapping[str, tuple[Value, str]], games: list[Game], found: Strengths
) -> Ranking:
    rates = found.win_rates()
    standings = [
        Standing(
            key=key,
            label=label,
            votes=sum(number in (game.first, game.second) for game in games),
            strength=float(found.theta[number]),
            rate=float(rates[number, 0]),
            low=float(rates[number, 1]),
            high=float(rates[number, 2]),
        )
        for number, (key, label) in enumerate(items.values())
    ]
    ordered = sorted(standings, key=lambda one: -one.strength)
    return Ranking(by, tuple(ordered), len(games), found.settled())
