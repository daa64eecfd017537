"""A page of one file: style, script and pictures inside, nothing loaded from anywhere."""

from __future__ import annotations

import base64
import hashlib
import html
from importlib.metadata import version
from importlib.resources import files

_SHELL = """\
<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="generator" content="sdmerge {version}">
<meta http-equiv="Content-Security-Policy" content="{policy}">
<meta name="referrer" content="no-referrer">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<link rel="icon" href="data:,">
<title>{title}</title>
<style>{style}</style>
</head>
<body>
{body}
<script>{script}</script>
</body>
</html>
"""


def one_page(title: str, style: str, script: str, body: str, **allowed: str) -> str:
    """The page's text. `body` is HTML, `title` is plain text.

    Only this very script runs, and pictures come from inside the page; `allowed` loosens the
    policy by directive, as in `img_src="'self' data:"`.
    """
    style = f"{colours()}\n{style}"
    policy = {
        "default-src": "'none'",
        "script-src": _digest(script),
        "style-src": _digest(style),
        "img-src": "data:",
        "form-action": "'none'",
        "base-uri": "'none'",
    } | {name.replace("_", "-"): value for name, value in allowed.items()}
    return _SHELL.format(
        version=version("sdmerge"),
        policy="; ".join(f"{name} {value}" for name, value in policy.items()),
        title=html.escape(title),
        style=style,
        script=script,
        body=body,
    )


def colours() -> str:
    """The style sheet that gives our pages their colours, as variables, in light and dark."""
    return (files("sdmerge.sample") / "colours.css").read_text("utf-8")


def _digest(text: str) -> str:
    """How a policy names the one script or style that may be used."""
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"
