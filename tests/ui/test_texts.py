"""Every visible string is in every language, and none is left that nobody shows."""

from __future__ import annotations

import re
from pathlib import Path

import sdmerge_ui
from sdmerge_ui.tabs import TABS
from sdmerge_ui.texts import LANGUAGES, catalogue, language_of

FOLDER = Path(sdmerge_ui.__file__).parent
_NAMED = re.compile(r"""["'`]([a-z]+\.[a-z_-]+)["'`]""")
_SOURCES = "".join(
    path.read_text("utf-8") for path in [*FOLDER.rglob("*.py"), *FOLDER.glob("assets/*.js")]
)


def asked() -> set[str]:
    """The keys that sources name, and those that they put together."""
    heads = {key.split(".")[0] for key in catalogue("en")}
    found = {key for key in _NAMED.findall(_SOURCES) if key.split(".")[0] in heads}
    keys = set(catalogue("en"))
    for start in re.findall(r"""["'`]([a-z]+\.[a-z_]*)(?=\$?\{)""", _SOURCES):
        found |= {key for key in keys if key.startswith(start)}
    return found | {key for key in keys if key.startswith("details.")}


def test_languages_have_the_same_keys_and_places() -> None:
    first = catalogue(LANGUAGES[0])
    for language in LANGUAGES:
        other = catalogue(language)
        assert set(other) == set(first), language
        for key, text in other.items():
            assert text.strip(), key
            assert set(re.findall(r"{\w+}", text)) == set(re.findall(r"{\w+}", first[key])), key


def test_what_is_asked_for_is_there_and_the_rest_is_not() -> None:
    assert asked() == set(catalogue("en"))
    assert {f"tab.{tab.NAME}" for tab in TABS} <= set(catalogue("en"))


def test_the_language_is_the_browsers() -> None:
    assert language_of("ja-JP,ja;q=0.9,en;q=0.8") == "ja"
    assert language_of("fr,ja;q=0.5") == "ja"
    assert language_of("fr") == language_of("") == "en"
    assert language_of("ja", "en") == "en"
    assert language_of("ja", "xx") == "ja"
