"""JSON from files nobody vouches for: one object, no key twice, or a CorruptFile."""

from __future__ import annotations

import json
from typing import Never, cast

from sdmerge.errors import CorruptFile


def load_object(raw: bytes, *, what: str, where: str) -> dict[str, object]:
    """The JSON object in `raw`; `what` names it in the CorruptFile of anything else."""
    try:
        value = json.loads(
            raw.decode("utf-8"), object_pairs_hook=_unique, parse_constant=_no_constant
        )
    except RecursionError as error:
        raise CorruptFile(f"{what} is nested too deeply", where=where) from error
    except ValueError as error:  # bad UTF-8, bad JSON, a key twice, a number of 5000 digits
        raise CorruptFile(f"{what} is not valid JSON: {error}", where=where) from error
    if not isinstance(value, dict):
        raise CorruptFile(f"{what} is not a JSON object", where=where)
    return cast("dict[str, object]", value)


def _unique(pairs: list[tuple[str, object]]) -> dict[str, object]:
    table: dict[str, object] = {}
    for key, value in pairs:
        if key in table:
            raise ValueError(f"'{key}' appears twice")
        _encodable(key)
        if isinstance(value, str):
            _encodable(value)
        table[key] = value
    return table


def _encodable(text: str) -> None:
    # "\ud800" is legal JSON but half a character: it could never be written again.
    if not text.isascii():
        text.encode("utf-8")


def _no_constant(word: str) -> Never:
    raise ValueError(f"'{word}' is not a number")
