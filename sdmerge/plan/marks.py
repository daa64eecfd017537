"""Marks in a plan: the groups of tensors whose values a rule with a search mark gives."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from sdmerge.plan.anatomy import Anatomy
from sdmerge.plan.groups import group_of, groups
from sdmerge.recipe import Rule, Search


@dataclass(frozen=True, slots=True)
class Marked:
    """A rule with a search mark, and its groups by label: one '' where the mark has no `per`.

    `idle` are groups in which the rule's model does not differ from the base, or is not at all:
    they get a value that plays no part. So do models that are the base itself.
    """

    rule: Rule
    groups: tuple[str, ...]
    idle: tuple[str, ...] = ()


@dataclass
class Tally:
    """Counts where values of marked rules are used; kept by the rule's identity."""

    names: Sequence[str]
    """The models, as values per model call them."""
    _rules: dict[int, tuple[Rule, Anatomy]] = field(default_factory=dict[int, tuple[Rule, Anatomy]])
    _used: dict[int, dict[str, bool]] = field(default_factory=dict[int, dict[str, bool]])

    def add(self, marks: Mapping[str, Rule], model: Anatomy) -> None:
        """Rules that took tensors of `model`."""
        for rule in marks.values():
            self._rules[id(rule)] = rule, model

    def use(self, rule: Rule, key: str, name: str, *, changes: bool) -> None:
        """The rule's value is that of the tensor `key` for the model `name`."""
        by = name if _per(rule) == "model" else key
        used = self._used.setdefault(id(rule), {})
        used[by] = used.get(by, False) or changes

    def found(self) -> tuple[Marked, ...]:
        """The marked rules that are used."""
        return tuple(self._marked(*self._rules[one], used) for one, used in self._used.items())

    def _marked(self, rule: Rule, model: Anatomy, used: Mapping[str, bool]) -> Marked:
        per = _per(rule)
        if per == "model":  # every model has a value, so that none is left out
            active = tuple(name for name in self.names if used.get(name))
            return Marked(rule, active, tuple(name for name in self.names if name not in active))
        group = group_of(per, model)
        seen: dict[str, bool] = {}
        for key, changes in used.items():
            seen[group(key)] = seen.get(group(key), False) or changes
        order = groups(per, model)
        return Marked(
            rule,
            tuple(one for one in order if seen.get(one)),
            tuple(one for one in order if seen.get(one) is False),
        )


def _per(rule: Rule) -> str:
    return rule.value.per if isinstance(rule.value, Search) else ""
