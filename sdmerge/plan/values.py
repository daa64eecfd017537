"""Parameter values per tensor: a component's rule, the model's own, the recipe's, the default."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from sdmerge.errors import PlanError
from sdmerge.manifest import MethodSpec, manifest
from sdmerge.method import Value, Values
from sdmerge.params import FILES, Param, Scalar
from sdmerge.plan.anatomy import Anatomy
from sdmerge.plan.inputs import Inputs
from sdmerge.plan.marks import Marked, Tally
from sdmerge.plan.settings import Resolved, Taken, resolve
from sdmerge.recipe import ComponentRule, Grouped, Setting, Stage


@dataclass(frozen=True, slots=True)
class Part:
    """A model's part in one tensor: its own settings, and whether it differs there at all."""

    name: str
    settings: Mapping[str, Setting]
    changes: bool = True


class Valuer:
    """The values of a stage's parameters. Each setting is resolved once, for all tensors."""

    def __init__(
        self,
        stage: Stage,
        model: Anatomy,
        settings: Sequence[Mapping[str, Setting]],
        inputs: Inputs,
    ) -> None:
        self._stage = stage
        self._inputs = inputs
        self._resolved: dict[int, Resolved] = {}
        self._tally = Tally([ref.name for ref in stage.models])
        self.taken: list[Taken] = []
        self.notes: list[str] = []
        for owner, parameters in (("", stage.parameters), *_owners(stage, settings)):
            self._add(owner, parameters, stage.method, model)

    def _add(
        self, owner: str, parameters: Mapping[str, Setting], method: str, model: Anatomy
    ) -> None:
        spec = manifest()[method]
        for name, setting in parameters.items():
            seen = model.seen_by(spec.param(name), setting[0].where)
            self._resolve(f"{owner}{name}", setting, seen)

    def _resolve(self, name: str, setting: Setting, model: Anatomy) -> None:
        resolved = resolve(name, setting, model)
        self._resolved[id(setting)] = resolved
        self._tally.add(resolved.marks, model)
        self.taken.extend(resolved.taken)
        self.notes.extend(resolved.notes)

    @property
    def marks(self) -> tuple[Marked, ...]:
        """The rules with search marks whose values were asked for."""
        return self._tally.found()

    def add_rule(self, component: str, rule: ComponentRule, model: Anatomy) -> None:
        """Resolve the parameters of a component's own rule as well."""
        method = rule.method or self._stage.method
        self._add(f"components.{component}.", rule.parameters, method, model)

    def values(
        self, key: str, spec: MethodSpec, parts: Sequence[Part], rule: ComponentRule | None
    ) -> Values:
        """The values of all of the method's parameters for the tensor `key`."""
        found = {param.name: self._value(key, param, parts, rule) for param in spec.params}
        albums = [found[param.name] for param in spec.params if param.kind == "pictures"]
        shown = [self._inputs.is_captioned(one) for album in albums for one in _each(album)]
        for param in spec.params:
            if param.kind == "lines":
                said = _each(found[param.name])
                self._refuse_silence(param, said, shown or [False] * len(said))
        return tuple(found.items())

    def _refuse_silence(self, param: Param, said: Sequence[str], shown: Sequence[bool]) -> None:
        """Lines have to be given, unless every picture of a model says what it shows."""
        if not all(text.strip() or is_shown for text, is_shown in zip(said, shown, strict=True)):
            hint = f"{param.doc} Write a file's name, or a list."
            raise PlanError(f"the merge needs {param.name}", where=self._stage.where, hint=hint)

    def _value(
        self, key: str, param: Param, parts: Sequence[Part], rule: ComponentRule | None
    ) -> Value:
        own = rule.parameters.get(param.name) if rule else None
        shared = self._stage.parameters.get(param.name)
        if not param.per_model:
            whole = Part("", {}, any(part.changes for part in parts))
            return self._first(key, param, (own, shared), whole)
        found = [
            self._first(key, param, (own, part.settings.get(param.name), shared), part)
            for part in parts
        ]
        if param.kind in FILES:
            return tuple(str(value) for value in found)
        return tuple(float(value) for value in found)

    def _first(
        self, key: str, param: Param, settings: Sequence[Setting | None], part: Part
    ) -> Scalar:
        for setting in settings:
            if setting is None:
                continue
            resolved = self._resolved[id(setting)]
            value = resolved.values.get(key)
            if isinstance(value, Grouped):
                value = value.values.get(part.name)
            if value is None:
                continue
            if key in resolved.marks:
                self._tally.use(resolved.marks[key], key, part.name, changes=part.changes)
            if param.kind == "int" and isinstance(value, float):
                value = round(value)  # a curve passes between whole numbers
            # the method of a component may have other limits
            return self._said(param, param.check(value), setting[0].where)
        return self._said(param, param.default, self._stage.where)

    def _said(self, param: Param, value: Scalar, where: str) -> Scalar:
        """The value; of lines what they say, and of pictures their address."""
        if not isinstance(value, str) or not value.strip():
            return value
        if param.kind == "lines":
            return self._inputs.lines(value, where)
        return self._inputs.pictures(value, where) if param.kind == "pictures" else value


def _each(value: Value) -> list[str]:
    """Of text one, or one per model."""
    return [str(one) for one in value] if isinstance(value, tuple) else [str(value)]


def _owners(
    stage: Stage, settings: Sequence[Mapping[str, Setting]]
) -> list[tuple[str, Mapping[str, Setting]]]:
    names = {id(ref.parameters): f"{ref.name}." for ref in stage.models}
    return [(names.get(id(parameters), ""), parameters) for parameters in settings]


def differing_defaults(spec: MethodSpec, settings: Sequence[Mapping[str, Setting]]) -> list[str]:
    """A note for each parameter left to a default that mergekit has otherwise."""
    given = {name for parameters in settings for name in parameters}
    return [
        f"{spec.name}.{param.name} is {param.default} by default, in mergekit {param.mergekit}"
        for param in spec.params
        if param.mergekit is not None and param.name not in given
    ]
