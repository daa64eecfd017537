"""Every visible string is in every language, and none is left that nobody shows."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import sdmerge_ui
from sdmerge_ui.library import LORA, NUMBERS, SAMPLING, manifest
from sdmerge_ui.tabs import TABS
from sdmerge_ui.texts import LANGUAGES, Words, catalogue, language_of, library

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


USUAL = (
    "weighted_sum", "linear", "slerp", "add_difference", "sum_twice", "task_arithmetic", "ties",
    "dare_linear", "dare_ties", "della", "breadcrumbs",
)  # fmt: skip
"""Methods that a newcomer meets first."""


@pytest.mark.parametrize("language", LANGUAGES[1:])
def test_the_library_speaks_it_too(language: str) -> None:
    specs = manifest()
    known = {
        text
        for spec in specs.values()
        for text in (spec.summary, *(param.doc for param in spec.params))
    }
    others = {param.doc for param in (*NUMBERS.values(), *SAMPLING.values(), *LORA)}
    wanted = {specs[name].summary for name in USUAL}
    wanted |= {param.doc for name in USUAL for param in specs[name].params}
    wanted |= {param.doc for param in (*NUMBERS.values(), *SAMPLING.values())}
    said = library(language)
    assert wanted <= set(said)
    assert set(said) <= known | others  # whatever the library says no more
    assert all(text.strip() and text != english for english, text in said.items())
    (field,) = Words(language).helped([{"help": specs["ties"].param("density").doc}])
    assert field["help"] == said[specs["ties"].param("density").doc]
    assert Words(language).said("nobody says this") == "nobody says this"


def test_the_language_is_the_browsers() -> None:
    assert language_of("ja-JP,ja;q=0.9,en;q=0.8") == "ja"
    assert language_of("fr,ja;q=0.5") == "ja"
    assert language_of("fr") == language_of("") == "en"
    assert language_of("ja", "en") == "en"
    assert language_of("ja", "xx") == "ja"
