"""Choice: a scorer with values for its parameters, as people write it.

    clip                                          the published checkpoint
    clip,model=samples/scorers/clip_a             a local one
    python:my_file:redness,gain=2                 a function of a plug-in

A comma in a value is written twice. `name=…` says what the column is called.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import PurePath

from sdmerge.errors import ScorerError
from sdmerge.params import Scalar
from sdmerge.scoring.spec import ScorerSpec, find_spec

PYTHON = "python:"
_COMMA = re.compile(r"(?<!,),(?!,)")


@dataclass(frozen=True, slots=True)
class Choice:
    """A scorer's name, the values given for its parameters, and what its column is called."""

    scorer: str
    given: tuple[tuple[str, Scalar], ...] = ()
    name: str = ""

    @property
    def values(self) -> dict[str, Scalar]:
        """The values that were given."""
        return dict(self.given)


def parse_choice(text: str) -> Choice:
    """The choice that `text` means; unknown names and values out of their limits are errors."""
    head, *parts = (part.replace(",,", ",") for part in _COMMA.split(text))
    pairs: dict[str, str] = {}
    for part in parts:
        name, equals, value = part.partition("=")
        if not equals:
            hint = "Write clip,model=FOLDER; a comma in a value is written twice."
            raise ScorerError(f"'{part}' in '{text}' is no NAME=VALUE", hint=hint)
        pairs[name.strip()] = value
    own = pairs.pop("name", "")
    if head.startswith(PYTHON):
        return Choice(head, tuple(pairs.items()), own)
    spec = find_spec(head.strip())
    given = tuple((name, spec.param(name).parse(value)) for name, value in pairs.items())
    return Choice(spec.name, given, own)


def spelled(choice: Choice) -> str:
    """What `parse_choice` reads as this choice."""
    given = [*choice.given, *([("name", choice.name)] if choice.name else [])]
    parts = [choice.scorer, *(f"{name}={value}" for name, value in given)]
    return ",".join(part.replace(",", ",,") for part in parts)


def choice_from(entry: Mapping[str, object]) -> Choice:
    """The choice that a recipe's entry means: {scorer: clip, model: …}."""
    fields = dict(entry)
    name, own = str(fields.pop("scorer", "")), str(fields.pop("name", ""))
    if name.startswith(PYTHON):
        return Choice(name, tuple((key, _scalar(value)) for key, value in fields.items()), own)
    spec = find_spec(name)
    given = tuple((key, spec.param(key).check(value)) for key, value in fields.items())
    return Choice(name, given, own)


def checked(spec: ScorerSpec, choice: Choice) -> dict[str, Scalar]:
    """Every parameter's value, of a function of a plug-in too, whose words are read only now."""
    return spec.values(
        {
            name: spec.param(name).parse(value) if isinstance(value, str) else value
            for name, value in choice.given
        }
    )


def named(choices: Iterable[Choice]) -> list[Choice]:
    """The choices with a column name each: the scorer's, with its model's where that is needed."""
    chosen = list(choices)
    plain = [_plain_name(choice) for choice in chosen]
    names = [
        choice.name or (name if plain.count(name) == 1 else _with_model(name, choice))
        for choice, name in zip(chosen, plain, strict=True)
    ]
    return [replace(choice, name=name) for choice, name in zip(chosen, _unique(names), strict=True)]


def _plain_name(choice: Choice) -> str:
    return choice.scorer.rpartition(":")[2]


def _with_model(name: str, choice: Choice) -> str:
    model = str(choice.values.get("model", ""))
    return f"{name} ({PurePath(model).name})" if model else name


def _unique(names: Sequence[str]) -> list[str]:
    seen: Counter[str] = Counter()
    found: list[str] = []
    for name in names:
        seen[name] += 1
        found.append(name if seen[name] == 1 else f"{name} #{seen[name]}")
    return found


def _scalar(value: object) -> Scalar:
    if isinstance(value, bool | int | float | str):
        return value
    raise ScorerError(f"{value!r} is no value of a scorer's parameter")
