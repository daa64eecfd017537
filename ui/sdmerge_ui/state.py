"""State: the one recipe that a page edits, with its history."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

from sdmerge_ui.library import RecipeError, documents

STEPS = 200
"""Versions that can be undone."""

EMPTY = "merge_method: weighted_sum\nmodels: []\n"


@dataclass(frozen=True, slots=True)
class Draft:
    """A recipe's text, what it was before, and what was undone.

    gesture: What the last edit was a part of: a drag of one slider is one step.
    run, ran: The number of the last run, and the text it had.
    """

    text: str = EMPTY
    past: tuple[str, ...] = ()
    future: tuple[str, ...] = ()
    gesture: str = ""
    run: int = 0
    ran: str = ""

    def edit(self, text: str, gesture: str = "") -> Draft:
        """The draft with another text."""
        if text == self.text:
            return self
        goes_on = bool(gesture) and gesture == self.gesture
        past = self.past if goes_on else (*self.past, self.text)[-STEPS:]
        return replace(self, text=text, past=past, future=(), gesture=gesture)

    def undo(self) -> Draft:
        """The draft as it was before the last step."""
        if not self.past:
            return self
        *past, text = self.past
        return replace(
            self, text=text, past=tuple(past), future=(self.text, *self.future), gesture=""
        )

    def redo(self) -> Draft:
        """The draft as it was before the last undo."""
        if not self.future:
            return self
        text, *future = self.future
        return replace(
            self, text=text, past=(*self.past, self.text), future=tuple(future), gesture=""
        )

    def was_run(self, number: int) -> Draft:
        """The draft, from now on compared with the run of this number."""
        return replace(self, run=number, ran=self.text)

    def changes(self) -> list[tuple[str, str, str]]:
        """What differs from the last run: address, before, now."""
        return differences(self.ran, self.text) if self.run else []


def differences(before: str, now: str) -> list[tuple[str, str, str]]:
    """What differs between two recipes: address, in the first, in the second."""
    old, new = dict(_leaves(before)), dict(_leaves(now))
    return [
        (address, old.get(address, ""), new.get(address, ""))
        for address in {**old, **new}
        if old.get(address) != new.get(address)
    ]


def _leaves(text: str) -> Iterator[tuple[str, str]]:
    """Every value of a recipe by its address."""
    try:
        data = documents(text)
    except RecipeError:
        yield "", text
        return
    for number, one in enumerate(data):
        yield from _walk(one, "" if number == len(data) - 1 else f"stage {number + 1}: ")


def _walk(value: Any, address: str) -> Iterator[tuple[str, str]]:
    match value:
        case Mapping():
            for key, child in value.items():
                yield from _walk(child, f"{address}.{key}".removeprefix("."))
        case list():
            for place, child in enumerate(value):
                yield from _walk(child, f"{address}[{place}]")
        case _:
            yield address, "" if value is None else str(value)
