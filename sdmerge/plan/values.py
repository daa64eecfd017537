"""Parameter values per tensor: a component's rule, the model's own, the recipe's, the default."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from sdmerge.errors import PlanError
from sdmerge.manifest import MethodSpec, manifest
from sdmerge.method import Value, Values
from sdmerge.params import Param, Scalar
from sdmerge.plan.anatomy import Anatomy
from sdmerge.plan.settings import Resolved, Taken, resolve
from sdmerge.recipe import ComponentRule, Setting, Stage


class Valuer:
    """The values of a stage's parameters. Each setting is resolved once, for all tensors."""

    def __init__(
        self,
        stage: Stage,
        model: Anatomy,
        settings: Sequence[Mapping[str, Setting]],
        lines: Callable[[str, str], str],
    ) -> None:
        self._stage = stage
        self._lines = lines
        self._resolved: dict[int, Resolved] = {}
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
        self.taken.extend(resolved.taken)
        self.notes.extend(resolved.notes)

    def add_rule(self, component: str, rule: ComponentRule, model: Anatomy) -> None:
        """Resolve the parameters of a component's own rule as well."""
        method = rule.method or self._stage.method
        self._add(f"components.{component}.", rule.parameters, method, model)

    def values(
        self,
        key: str,
        spec: MethodSpec,
        models: Sequence[Mapping[str, Setting]],
        rule: ComponentRule | None,
    ) -> Values:
        """The values of all of the method's parameters for the tensor `key`."""
        return tuple((param.name, self._value(key, param, models, rule)) for param in spec.params)

    def _value(
        self,
        key: str,
        param: Param,
        models: Sequence[Mapping[str, Setting]],
        rule: ComponentRule | None,
    ) -> Value:
        own = rule.parameters.get(param.name) if rule else None
        shared = self._stage.parameters.get(param.name)
        if not param.per_model:
            return self._first(key, param, (own, shared))
        found = [self._first(key, param, (own, model.get(param.name), shared)) for model in models]
        if param.kind == "lines":
            return tuple(str(value) for value in found)
        return tuple(float(value) for value in found)

    def _first(self, key: str, param: Param, settings: Sequence[Setting | None]) -> Scalar:
        for setting in settings:
            if setting is not None and key in (values := self._resolved[id(setting)].values):
                value = values[key]
                if param.kind == "int" and isinstance(value, float):
                    value = round(value)  # a curve passes between whole numbers
                # the method of a component may have other limits
                return self._said(param, param.check(value), setting[0].where)
        return self._said(param, param.default, self._stage.where)

    def _said(self, param: Param, value: Scalar, where: str) -> Scalar:
        """The value; of lines what they say, wherever they are written."""
        if param.kind != "lines" or not isinstance(value, str):
            return value
        if not value.strip():
            hint = f"{param.doc} Write a file's name, or a list."
            raise PlanError(f"the merge needs {param.name}", where=where, hint=hint)
        return self._lines(value, where)


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
