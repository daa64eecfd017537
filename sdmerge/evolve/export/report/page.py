"""The report as one text: words, tables and pictures, all inside."""

from __future__ import annotations

import base64
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from importlib.resources import files

from sdmerge.evolve.export.history import History, Validation
from sdmerge.evolve.export.report.table import table_of_test
from sdmerge.evolve.export.report.words import Html, element, say
from sdmerge.evolve.export.verdict import Said, Table, verdicts
from sdmerge.sample.page import one_page


@dataclass(frozen=True, slots=True)
class Shown:
    """What the report shows beside words: PNGs by the figure's name, on light and dark paper."""

    figures: Mapping[str, tuple[bytes, bytes]] = field(
        default_factory=dict[str, tuple[bytes, bytes]]
    )
    gallery: bytes = b""


_ORDER = ("curve", "forest", "gallery", "front", "values", "blocks", "importance", "parallel")


def report(
    history: History, chosen: Validation, found: Table | None, recipe: str, shown: Shown
) -> str:
    """The page. `recipe` is the winner's text."""
    style, script = _asset("page.css"), _asset("page.js")
    parts = [
        _head(history),
        *_verdict(verdicts(history, found)),
        *_facts(history, chosen),
        *(table_of_test(history, found) if found is not None else ()),
        *(one for name in _ORDER for one in _figure(name, shown)),
        element("h2", say("recipe")),
        element("pre", recipe),
    ]
    return one_page(f"{history.name}: sdmerge", style, script, "\n".join(parts))


def _head(history: History) -> Html:
    return element(
        "header",
        element("h1", say("title", name=history.name)),
        element("button", say("language"), id="language", type="button"),
        element("button", say("theme"), id="theme", type="button"),
    )


def _verdict(said: Sequence[Said]) -> list[Html]:
    lines = [element("li", say(one.key, **one.words), class_=_mark(one.key)) for one in said]
    return [element("h2", say("verdict")), element("ul", *lines, class_="verdict")]


def _mark(key: str) -> str:
    head = key.partition("_")[0]
    if head in ("above", "below", "open"):
        return head
    return "warned" if key in ("untested", "alarmed", "again", "no_report") else "said"


def _facts(history: History, chosen: Validation) -> list[Html]:
    words = {"generation": chosen.generation, "judge": history.judge, "trial": chosen.trial}
    rows: list[tuple[str, object]] = [
        ("engine", history.engine),
        ("seed", history.seed),
        ("trials", len(history.searched)),
        ("genes", len(history.genes)),
        ("fitness", ", ".join(history.fitness)),
        ("reported", ", ".join(history.report) or "–"),
        ("chosen", say(_how(chosen), **words)),
    ]
    if history.test is not None:
        test = history.test
        size = {"prompts": test.prompts, "pictures": test.pictures, "runs": test.runs}
        rows.append(("tested", say("test_size", **size)))
    pairs = [
        part for key, value in rows for part in (element("dt", say(key)), element("dd", value))
    ]
    return [element("h2", say("facts")), element("dl", *pairs)]


def _how(chosen: Validation) -> str:
    if not chosen.scores:
        return "chosen_last"
    if chosen.kind == "centre":
        return "chosen_centre"
    return "chosen_trial" if chosen.trial is not None else "chosen_added"


def _figure(name: str, shown: Shown) -> list[Html]:
    if name == "gallery":
        pictures = [_image(shown.gallery, "", name)] if shown.gallery else []
    else:
        light_and_dark = shown.figures.get(name, ())
        pictures = [
            _image(content, theme, name)
            for content, theme in zip(light_and_dark, ("light", "dark"), strict=False)
        ]
    if not pictures:
        return []
    return [element("h2", say(name)), element("figure", *pictures)]


def _image(content: bytes, theme: str, name: str) -> Html:
    inside = base64.b64encode(content).decode()
    mark = f' class="{theme}"' if theme else ""
    return Html(f'<img{mark} alt="{name}" src="data:image/png;base64,{inside}">')


def _asset(name: str) -> str:
    return (files("sdmerge.evolve.export.report") / "assets" / name).read_text("utf-8")
