"""The page as one text: style, words, script and the grid's data, all inlined."""

from __future__ import annotations

import base64
import hashlib
import html
import json
from collections.abc import Mapping, Sequence
from importlib.metadata import version
from importlib.resources import files
from pathlib import Path
from typing import Any

from sdmerge.sample.viewer.data import grid_data

_STYLES = ("page", "table", "closeup", "vote")
_SCRIPTS = (
    "dom", "words", "model", "zoom", "state", "layout", "table", "closeup", "strengths",
    "ballot", "vote", "toolbar", "panel", "keys", "main",
)  # fmt: skip
GENERATOR = f"sdmerge {version('sdmerge')}"


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
    return _asset("page.html").format(
        generator=GENERATOR,
        policy=_policy(style, script),
        title=html.escape(grid["title"] or "sdmerge"),
        style=style,
        script=script,
        data=_inert({**grid, "votes": list(votes), "post": post, "words": words}),
    )


def _asset(name: str) -> str:
    return (files("sdmerge.sample.viewer") / "assets" / name).read_text("utf-8")


def _policy(style: str, script: str) -> str:
    """Only this very script runs, nothing is loaded but pictures beside the page."""
    return "; ".join((
        "default-src 'none'", f"script-src {digest(script)}", f"style-src {digest(style)}",
        "img-src 'self' file: data: blob:", "connect-src 'self'", "form-action 'none'",
        "base-uri 'none'",
    ))  # fmt: skip


def digest(text: str) -> str:
    """How a policy names the one script or style that may be used."""
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"


def _inert(data: Mapping[str, Any]) -> str:
    """JSON in which no prompt can end the element it stands in."""
    text = json.dumps(data, ensure_ascii=False, separators=(",", ":"), allow_nan=False)
    for letter in "<>&":
        text = text.replace(letter, f"\\u{ord(letter):04x}")
    return text
