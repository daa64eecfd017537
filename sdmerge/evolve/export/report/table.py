"""The test table: a row per contender, two columns per scorer."""

from __future__ import annotations

from collections.abc import Iterator

from sdmerge.evolve.export.history import History
from sdmerge.evolve.export.report.words import Html, element, say
from sdmerge.evolve.export.verdict import Compared, Table
from sdmerge.scoring.statistics import Estimate

_MARKS = {"above": "▲", "below": "▼", "open": "○"}


def table_of_test(history: History, found: Table) -> list[Html]:
    """Heading, table and what its numbers mean."""
    test = history.test
    if test is None:
        return []
    columns = [*next(iter(found.means.values()))]
    heads = [
        element("th", say("model")),
        *(one for name in columns for one in _heads(history, name)),
    ]
    rows = [
        element("tr", *_row(history, found, name, columns),
                class_="winner" if name == test.winner else "other")
        for name in found.means
    ]  # fmt: skip
    table = element("table", element("thead", element("tr", *heads)), element("tbody", *rows))
    parts = [
        element("h2", say("test_table")),
        element("div", table, class_="wide"),
        element("p", say("table_note", prompts=test.prompts), class_="note"),
    ]
    if test.flags:
        told = ", ".join(f"{name} {count}" for name, count in test.flags.items())
        parts.append(element("p", say("degenerate", told=told), class_="note"))
    return parts


def _heads(history: History, column: str) -> Iterator[Html]:
    role = say("fitness" if column in history.fitness else "reported")
    yield element("th", column, Html("<br>"), element("small", role))
    yield element("th", say("difference"))


def _row(history: History, found: Table, name: str, columns: list[str]) -> Iterator[Html]:
    test = history.test
    kind = test.kinds[name] if test is not None else "added"
    yield element("th", name, " ", element("small", say(kind)), scope="row")
    for column in columns:
        yield element("td", _mean(found.means[name][column]))
        compared = found.of(name, column)
        if compared is None:
            yield element("td", "")
        else:
            yield element("td", _gap(compared), class_=compared.outcome)


def _mean(mean: Estimate) -> Html:
    if mean.prompts < 2:
        return element("span", f"{mean.mean:.4g}")
    between = f" ({mean.low:.4g} … {mean.high:.4g})"
    return element("span", f"{mean.mean:.4g}", element("small", between))


def _gap(one: Compared) -> Html:
    gap = one.gap
    between = f" ({gap.low:+.3g} … {gap.high:+.3g}), p {one.p:.2g}"
    return element("span", f"{_MARKS[one.outcome]} {gap.mean:+.3g}", element("small", between))
