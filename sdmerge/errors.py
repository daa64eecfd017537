"""Every exception sdmerge raises, and the exit code the command line gives it.

    SdmergeError                    1   a bug of ours, if it is raised bare
    ├── InputError                  2   what you gave cannot be used
    │   ├── RecipeError                 the recipe's text
    │   ├── FileError                   a file that cannot be read as what it should be
    │   │   └── CorruptFile             a file that is what it should be, but broken
    │   ├── FamilyError                 files of different or unknown families
    │   ├── MethodError                 a merge method, or a parameter of a method, scorer or engine
    │   │   └── UnknownMethod               no method of that name
    │   ├── ScorerError                 a scorer, or what it needs and was not given
    │   │   └── UnknownScorer               no scorer of that name
    │   ├── EngineError                 a search engine, or genes and scores that it does not take
    │   │   └── UnknownEngine               no engine of that name
    │   └── PlanError                   a recipe that does not fit its files
    ├── ResourceError               3   the machine has too little of something
    └── Cancelled                 130   you stopped it

A message has three parts: what is wrong, where, and what to do about it.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable


class SdmergeError(Exception):
    """Base of all. `where` is a file, a line or a key; `hint` says what to do."""

    exit_code = 1

    def __init__(self, what: str, *, where: str = "", hint: str = "") -> None:
        super().__init__(what)
        self.what = what
        self.where = where
        self.hint = hint

    def __str__(self) -> str:
        head = f"{self.where}: {self.what}" if self.where else self.what
        return f"{head}\n  {self.hint}" if self.hint else head


class InputError(SdmergeError):
    """What the user gave cannot be used."""

    exit_code = 2


class RecipeError(InputError):
    """The recipe's text is wrong."""


class FileError(InputError):
    """A file is missing or is not what it should be."""


class CorruptFile(FileError):
    """A model file that is truncated, overlapping or otherwise broken."""


class FamilyError(InputError):
    """Files whose families differ, or one that is not recognised."""


class MethodError(InputError):
    """An unknown method, or a parameter that is unknown or out of its limits, of others too."""


class UnknownMethod(MethodError, KeyError):
    """A name that no method has; a KeyError too, so that `in` and `get` of a registry work."""


class ScorerError(InputError):
    """An unknown scorer, or one that lacks captions, references or leave to run a model's code."""


class UnknownScorer(ScorerError, KeyError):
    """A name that no scorer has; a KeyError too, so that `in` and `get` of a registry work."""


class EngineError(InputError):
    """A search engine, its state, or genes and scores that it does not take."""


class UnknownEngine(EngineError, KeyError):
    """A name that no engine has; a KeyError too, so that `in` and `get` of a registry work."""


class PlanError(InputError):
    """A recipe that is well written but does not fit its files."""


class ResourceError(SdmergeError):
    """Too little disk or memory."""

    exit_code = 3


class Cancelled(SdmergeError):
    """Stopped by the user."""

    exit_code = 130


def nearest(word: str, known: Iterable[str]) -> str:
    """'Did you mean 'density'?' for a near miss among `known`, else an empty string."""
    close = difflib.get_close_matches(word, list(known), n=1, cutoff=0.6)
    return f"Did you mean '{close[0]}'?" if close else ""
