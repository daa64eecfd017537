"""Words in both languages: the page holds them all, and shows those of its reader.

Only this module and `page` make HTML, and every text that comes from outside is escaped here.
"""

from __future__ import annotations

import functools
import html
import json
from collections.abc import Mapping
from importlib.resources import files

LANGUAGES = ("en", "ja")


class Html(str):
    """Text that is HTML already."""

    __slots__ = ()


def escaped(text: object) -> Html:
    """The text as HTML; what is HTML already stays."""
    return text if isinstance(text, Html) else Html(html.escape(str(text)))


def element(name: str, *content: object, **attributes: str) -> Html:
    """An element. `class_` and the like lose their underscore."""
    told = "".join(
        f' {key.rstrip("_").replace("_", "-")}="{html.escape(value)}"'
        for key, value in attributes.items()
    )
    inner = "".join(escaped(one) for one in content)
    return Html(f"<{name}{told}>{inner}</{name}>")


def say(key: str, **words: object) -> Html:
    """The sentence of the catalogue in every language, filled with escaped words."""
    spans = [
        element("span", _filled(text, words), lang=language)
        for language, text in zip(LANGUAGES, _texts(key), strict=True)
    ]
    return Html("".join(spans))


def plain(key: str, **words: object) -> str:
    """The sentence in English, for a terminal."""
    return _texts(key)[0].format(**words)


def _filled(text: str, words: Mapping[str, object]) -> Html:
    return Html(html.escape(text).format(**{name: escaped(word) for name, word in words.items()}))


def _texts(key: str) -> tuple[str, ...]:
    return tuple(catalogue()[key][language] for language in LANGUAGES)


@functools.cache
def catalogue() -> Mapping[str, Mapping[str, str]]:
    """Key → language → sentence."""
    file = files("sdmerge.evolve.export.report") / "assets" / "words.json"
    return json.loads(file.read_text("utf-8"))
