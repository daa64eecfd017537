"""Texts: every string that people see, from one catalogue per language."""

from __future__ import annotations

import functools
import json
from collections.abc import Mapping
from importlib import resources

LANGUAGES = ("en", "ja")


class Words:
    """The texts of a language: `words("bar.undo")`, with `{name}` filled from the arguments."""

    def __init__(self, language: str) -> None:
        self.language = language
        self._texts = catalogue(language)

    def __call__(self, key: str, **values: object) -> str:
        """The text; a KeyError if there is none, which a test finds before anybody else."""
        return self._texts[key].format(**values)

    def below(self, *parts: str) -> Mapping[str, str]:
        """The texts whose keys begin with one of `parts`, for an element's own script."""
        return {key: text for key, text in self._texts.items() if key.split(".")[0] in parts}


@functools.cache
def catalogue(language: str) -> Mapping[str, str]:
    """All texts of a language by their keys."""
    file = resources.files("sdmerge_ui.texts").joinpath(f"{language}.json")
    return json.loads(file.read_text("utf-8"))


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
