"""Texts: every string that people see, from one catalogue per language."""

from __future__ import annotations

import functools
import json
from collections.abc import Mapping, Sequence
from importlib import resources
from typing import Any

LANGUAGES = ("en", "ja")


class Words:
    """The texts of a language: `words("bar.undo")`, with `{name}` filled from the arguments."""

    def __init__(self, language: str) -> None:
        self.language = language
        self._texts = catalogue(language)

    def __call__(self, key: str, **values: object) -> str:
        """The text; a KeyError if there is none, which a test finds before anybody else."""
        return self._texts[key].format(**values)

    def said(self, text: str) -> str:
        """What the library says, in this language as far as it is known there."""
        return library(self.language).get(text, text)

    def helped(self, fields: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
        """Fields of a form with their help in this language."""
        return [{**one, "help": self.said(one["help"])} for one in fields]

    def below(self, *parts: str) -> Mapping[str, str]:
        """The texts whose keys begin with one of `parts`, for an element's own script."""
        return {key: text for key, text in self._texts.items() if key.split(".")[0] in parts}


@functools.cache
def catalogue(language: str) -> Mapping[str, str]:
    """All texts of a language by their keys."""
    file = resources.files("sdmerge_ui.texts").joinpath(f"{language}.json")
    return json.loads(file.read_text("utf-8"))


@functools.cache
def library(language: str) -> Mapping[str, str]:
    """What methods, searches and samplers say of themselves, by their English words."""
    file = resources.files("sdmerge_ui.texts").joinpath(f"library.{language}.json")
    return json.loads(file.read_text("utf-8")) if file.is_file() else {}


def language_of(accepted: str, chosen: str = "") -> str:
    """The language for a browser: what its user chose here, else the first it accepts.

    `accepted` is the header Accept-Language, in the order of preference that browsers write.
    """
    if chosen in LANGUAGES:
        return chosen
    for part in accepted.split(","):
        tag = part.split(";")[0].strip().lower()
        if (found := tag.split("-")[0]) in LANGUAGES:
            return found
    return LANGUAGES[0]
