"""ScorerSpec: what every scorer is and takes, as data, so that nothing needs torch to ask.

`manifest.json` is generated from the registry (`python -m sdmerge.scorers`) and a test keeps the
two equal. Plug-ins add their scorers to the same value when they are loaded.
"""

from __future__ import annotations

import dataclasses
import functools
import json
from collections.abc import Iterable, Mapping
from importlib import resources
from typing import Any, Literal

from sdmerge.errors import ScorerError, UnknownScorer, nearest
from sdmerge.manifest import param_from
from sdmerge.params import Param, Scalar, find_param

Need = Literal["caption", "reference", "source"]
"""A text that says what the picture should show, a picture that it should be like, or the picture
that it was made from."""
Of = Literal["picture", "set"]
"""A set is the pictures of one prompt: such a scorer looks at all of them at once."""


@dataclasses.dataclass(frozen=True, slots=True)
class ScorerSpec:
    """A scorer without its body."""

    name: str
    title: str
    summary: str
    details: str
    paper: str
    checkpoint: str
    """The published model that it is meant for; empty if it needs none."""
    needs: tuple[Need, ...]
    of: Of
    range: tuple[float, float]
    """Between which numbers pictures usually lie: for scales and colours."""
    worst: float
    """What a degenerate picture gets; no picture gets a worse number."""
    higher_is_better: bool
    version: int
    params: tuple[Param, ...]

    def param(self, name: str) -> Param:
        """The parameter called `name`; a MethodError with the nearest word if there is none."""
        return find_param(self.name, self.params, name)

    def values(self, given: Mapping[str, object]) -> dict[str, Scalar]:
        """Every parameter's value: as given, checked, else its default."""
        checked = {name: self.param(name).check(value) for name, value in given.items()}
        return {param.name: checked.get(param.name, param.default) for param in self.params}

    @property
    def ranks(self) -> bool:
        """Whether it tells good pictures from bad ones, one by one."""
        return self.of == "picture" and "source" not in self.needs


@functools.cache
def scorer_manifest() -> dict[str, ScorerSpec]:
    """Name → spec of the built-in scorers and of the plug-ins loaded so far."""
    text = resources.files("sdmerge.scoring").joinpath("manifest.json").read_text("utf-8")
    return {spec.name: spec for spec in spec_from(text)}


def announce(specs: Iterable[ScorerSpec]) -> None:
    """Tell the manifest about more scorers; a name that is taken is a ScorerError."""
    known = scorer_manifest()
    for spec in specs:
        if known.setdefault(spec.name, spec) != spec:
            raise ScorerError(f"there are two scorers called '{spec.name}'")


def find_spec(name: str) -> ScorerSpec:
    """The spec called `name`; an UnknownScorer with the nearest word if there is none."""
    known = scorer_manifest()
    if name not in known:
        hint = f"{nearest(name, known)} Known: {', '.join(sorted(known))}.".strip()
        raise UnknownScorer(f"there is no scorer '{name}'", hint=hint)
    return known[name]


def dump(specs: Iterable[ScorerSpec]) -> str:
    """The text of `manifest.json` for `specs`."""
    entries = [dataclasses.asdict(spec) for spec in sorted(specs, key=lambda spec: spec.name)]
    return json.dumps(entries, indent=1, ensure_ascii=False) + "\n"


def spec_from(text: str) -> tuple[ScorerSpec, ...]:
    """The specs that a manifest's text describes."""
    return tuple(_spec(entry) for entry in json.loads(text))


def _spec(entry: Mapping[str, Any]) -> ScorerSpec:
    fields = dict(entry)
    low, high = fields.pop("range")
    params = tuple(param_from(param) for param in fields.pop("params"))
    needs = tuple(fields.pop("needs"))
    return ScorerSpec(**fields, range=(low, high), params=params, needs=needs)
