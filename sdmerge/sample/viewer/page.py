"""The page as one text: style, words, script and the grid's data, all inlined."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from importlib.resources import files
from pathlib import Path
from typing import Any

from sdmerge.sample.page import one_page
from sdmerge.sample.viewer.data import grid_data

_STYLES = ("page", "table", "closeup", "vote")
_SCRIPTS = (
    "dom", "words", "model", "zoom", "state", "layout", "table", "closeup", "strengths",
    "ballot", "vote", "toolbar", "panel", "keys", "main",
)  # fmt: skip


def page(
    folder: Path,
    *,
    votes: Sequence[Mapping[str, Any]] = (),
    post: str = "",
    inline: bool = False,
) -> str:
    """The page for the grid in `folder`, to lie in that folder.

    `votes` are the lines that are known already; the page sends new ones to `post`, if it names an
    address, and else keeps them in the browser. `inline` puts the pictures into the page as well.
    """
    grid = grid_data(folder, inline=inline)
    style = "\n".join(_asset(f"style/{name}.css") for name in _STYLES)
    parts = "\n".join(_asset(f"script/{name}.js") for name in _SCRIPTS)
    script = f'"use strict";\n(() => {{\n{parts}}})();\n'
    words = json.loads(_asset("words.json"))
    data = _inert({**grid, "votes": list(votes), "post": post, "words": words})
    return one_page(
        grid["title"] or "sdmerge", style, script,
        '<div id="viewer"><noscript>This page needs JavaScript.</noscript></div>\n'
        f'<script type="application/json" id="grid">{data}</script>',
        img_src="'self' file: data: blob:", connect_src="'self'",
    )  # fmt: skip


def _asset(name: str) -> str:
    return (files("sdmerge.sample.viewer") / "assets" / name).read_text("utf-8")


def _inert(data: Mapping[str, Any]) -> str:
    """JSON in which no prompt can end the element it stands in."""
    text = json.dumps(data, ensure_ascii=False, separators=(",", ":"), allow_nan=False)
    for letter in "<>&":
        text = text.replace(letter, f"\\u{ord(letter):04x}")
    return text
