"""One stage planned: for every tensor of its result a node, or a reason why not."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from sdmerge.adapters import LoraFile
from sdmerge.adapters.lora.spelling import Dialect
from sdmerge.errors import PlanError, nearest
from sdmerge.families.family import SINGLE_FILE, Family
from sdmerge.manifest import MethodSpec, Space, manifest
from sdmerge.params import Scalar
from sdmerge.plan.alone import no_base, rivals
from sdmerge.plan.anatomy import Anatomy, anatomy
from sdmerge.plan.fits import Fits, Whole, whole_model
from sdmerge.plan.inputs import Inputs, Member
from sdmerge.plan.marks import Marked
from sdmerge.plan.match import check_complete, check_members
from sdmerge.plan.repetition import with_repeated_layers
from sdmerge.plan.report import ComponentReport
from sdmerge.plan.settings import Taken
from sdmerge.plan.tasks import Apply, Combine, Node, Read
from sdmerge.plan.values import Part, Valuer, differing_defaults
from sdmerge.recipe import ComponentRule, Setting, Stage
from sdmerge.recipe.aliases import stem
from sdmerge.tensors.spec import TensorSpec

_NO_SETTINGS: Mapping[str, Setting] = {}


@dataclass
class StagePlan:
    """What planning a stage found; `member` is the stage as a model of later ones."""

    member: Member
    components: list[ComponentReport] = field(default_factory=list[ComponentReport])
    taken: list[Taken] = field(default_factory=list[Taken])
    notes: list[str] = field(default_factory=list[str])
    base: Member | None = None
    """What the stage starts from; for changes alone a model of zeros."""
    assets: dict[str, Member] = field(default_factory=dict[str, Member])
    """What a pipeline needs beside weights, where the recipe says whose: tokenizer → member."""
    marks: tuple[Marked, ...] = ()
    scheduler: Mapping[str, Scalar] = field(default_factory=dict[str, Scalar])
    """What the recipe sets in the scheduler's config."""


@dataclass(frozen=True, slots=True)
class _Part:
    """A model in its part as input: what the recipe sets for it goes along."""

    member: Member
    settings: Mapping[str, Setting]


class StagePlanner:
    """Plans one stage; `stages` are the earlier ones by name.

    One whose result is a `change`, in a dialect, may do without a base, if its models are changes
    themselves.
    """

    def __init__(
        self,
        stage: Stage,
        inputs: Inputs,
        stages: Mapping[str, Member],
        seed: int,
        *,
        change: Dialect | None = None,
    ) -> None:
        self._stage = stage
        self._inputs = inputs
        self._stages = stages
        self._seed = seed
        self._spec = manifest()[stage.method]
        self._alone = None
        if change is not None and stage.base is None:
            self._alone = no_base(stage, inputs, stages, change)
        self._refuse_running_nothing()
        self._base = self._alone or self._open_base()
        self._parts = self._open_parts()
        self._first = self._base or self._parts[0].member
        self._model = self._anatomy()
        self._notes: list[str] = rivals(self._alone)
        self._fits = Fits(inputs.fits, seed)

    def plan(self) -> StagePlan:
        """Check the models against each other, then plan component by component."""
        check_members(self._first, [part.member for part in self._parts], self._notes)
        self._check_layers()
        rules, assets = self._rules()
        valuer = self._valuer(rules)
        specs: dict[str, TensorSpec] = {}
        nodes: dict[str, Node] = {}
        parts: dict[str, dict[str, Node]] = {}
        for name in self._component_names(rules):
            holder, parts[name] = self._plan_component(name, rules.get(name), valuer)
            nodes.update(parts[name])
            specs.update({key: holder.specs[key] for key in parts[name]})
        settings = [self._stage.parameters, *(part.settings for part in self._parts)]
        told = [note for part in self._parts for note in part.member.notes]
        fitted = self._fits.notes(self._inputs.sources)
        defaults = differing_defaults(self._spec, settings)
        notes: list[str] = [*told, *self._notes, *valuer.notes, *fitted, *defaults]
        first = self._first
        member = Member(
            self._stage.name, first.family, specs, nodes, "weight", deepened=first.deepened
        )
        for one in self._stage.apply:
            member = self._inputs.applied(stem(one.path), one.path, one.weight, member, one.where)
            notes += member.notes
        if self._stage.repeat:
            where = self._stage.where
            member = with_repeated_layers(member, self._stage.repeat, self._model, where)
            notes += member.notes
        reports = [
            self._component_report(name, part, member, rules.get(name))
            for name, part in parts.items()
            if part
        ]
        own = self._stage.components.get("scheduler", ComponentRule())
        return StagePlan(
            member, reports, valuer.taken, notes, self._base, assets, valuer.marks, own.config
        )

    def _component_report(
        self, name: str, part: Mapping[str, Node], done: Member, rule: ComponentRule | None
    ) -> ComponentReport:
        """How a component comes about, with what was applied to it in the end."""
        merged = sum(not isinstance(done.nodes[key], Read) for key in part)
        applied = any(isinstance(done.nodes[key], Apply) for key in part)
        words = [self._how(rule), *(stem(one.path) for one in self._stage.apply if applied)]
        return ComponentReport(name or "extra", len(part), merged, ", then ".join(words))

    def _valuer(self, rules: Mapping[str, ComponentRule]) -> Valuer:
        # a filter may name what the recipe itself takes whole: it says so in the same breath
        unsaid = frozenset(name for name in rules if name not in self._stage.components)
        settings = [part.settings for part in self._parts]
        model = replace(self._model, whole=unsaid)
        valuer = Valuer(self._stage, model, settings, self._inputs)
        for name, rule in rules.items():
            own = tuple(self._keys(self._first, name))
            valuer.add_rule(name, rule, replace(self._model, keys=own))
        return valuer

    def _refuse_running_nothing(self) -> None:
        """Changes alone are no model that runs."""
        rules = self._stage.components.values()
        names = [self._spec.name, *(rule.method for rule in rules if rule.method)]
        for spec in (manifest()[name] for name in names):
            if self._alone is not None and spec.fit is not None and spec.fit.probe is not None:
                what = f"{spec.name} looks at models that run, so it needs a base_model"
                hint = "Name the model that the LoRAs are for: base_model, or --base."
                raise PlanError(what, where=self._stage.where, hint=hint)

    def _open_base(self) -> Member | None:
        if self._stage.base is None:
            if self._spec.space == "delta":
                hint = "Name the model that the others were trained from: base_model: PATH."
                raise PlanError(
                    f"{self._spec.name} needs a base_model", where=self._stage.where, hint=hint
                )
            return None
        path, where = self._stage.base, self._stage.where
        if path not in self._stages and isinstance(self._inputs.open(path, where), LoraFile):
            raise PlanError("base_model is a LoRA", where=where, hint="Name a checkpoint.")
        return self._open("base", path, None, where)

    def _open(self, name: str, path: str, base: Member | None, where: str) -> Member:
        if path in self._stages:
            known = self._stages[path]
            return replace(known, name=name, notes=())
        return self._inputs.member(name, self._inputs.open(path, where), base, where)

    def _open_parts(self) -> list[_Part]:
        """The inputs of the method. The base among the models is the base, not an input."""
        parts: list[_Part] = []
        space = self._spec.space_with(base=self._base is not None)
        from_base = self._spec.ordered or space == "delta"
        for ref in self._stage.models:
            member = self._open(ref.name, ref.path, self._base, ref.where)
            if self._alone is not None and member.space == "operator":
                what = f"'{ref.name}' acts on a model's weights, so it needs a base_model"
                raise PlanError(what, where=ref.where, hint="Name the model under base_model.")
            if not (from_base and self._base is not None and member.nodes == self._base.nodes):
                parts.append(_Part(member, ref.parameters))
        # of weights in order the base is the first: the A of a slerp
        if self._spec.ordered and space == "weight" and self._base not in (None, self._alone):
            parts.insert(0, _Part(self._base, _NO_SETTINGS))
        self._check_count(self._spec, parts, self._stage.where)
        return parts

    @staticmethod
    def _check_count(spec: MethodSpec, parts: Sequence[_Part], where: str) -> None:
        fewest, most = spec.models
        if fewest <= len(parts) <= (most or len(parts)):
            return
        exactly = "1 model" if fewest == 1 else f"{fewest} models"
        wanted = exactly if most == fewest else f"{fewest} model or more beside the base"
        names = ", ".join(part.member.name for part in parts) or "none"
        what = f"{spec.name} takes {wanted}; the recipe has {len(parts)} ({names})"
        raise PlanError(what, where=where)

    def _anatomy(self) -> Anatomy:
        family = self._first.family
        names = [component.name for component in family.components]
        return anatomy(
            self._first.specs, names, family.blocks, family.block,
            labelled=bool(names), branch=family.branch,
        )  # fmt: skip

    def _check_layers(self) -> None:
        count = len(self._model.blocks)
        for model, _, high in self._stage.layer_ranges:
            if high != count:
                what = (
                    f"layer_range [0, {high}] of '{model}' is not the full range: "
                    f"it has {count} layers"
                )
                raise PlanError(
                    what, where=self._stage.where, hint="Layers are not re-ordered here."
                )

    def _component_names(self, rules: Mapping[str, ComponentRule]) -> list[str]:
        """The first model's components, those that a rule takes from elsewhere, and the extras."""
        order = [component.name for component in self._first.family.components]
        return [name for name in order if name in self._first.components or name in rules] + [""]

    def _rules(self) -> tuple[dict[str, ComponentRule], dict[str, Member]]:
        """Rules for components with weights, and for what else a pipeline has (tokenizers, …)."""
        family = self._first.family
        weights = [component.name for component in family.components]
        slots = [component.tokenizer for component in family.components if component.tokenizer]
        slots += ["scheduler"] if weights else []
        rules: dict[str, ComponentRule] = {}
        assets: dict[str, Member] = {}
        for name, rule in self._stage.components.items():
            if name in weights:
                if rule.take is None and name not in self._first.components:
                    hint = f"Take it from another model: components: {{{name}: {{take: MODEL}}}}."
                    what = f"'{self._first.name}' has no {name} to merge"
                    raise PlanError(what, where=rule.where, hint=hint)
                rules[name] = rule
            elif name in slots and rule.method is None:
                if rule.take is not None:
                    assets[name] = self._named(rule.take, rule.where)
            else:
                words = [*weights, *slots]
                hint = f"{nearest(name, words)} It has: {', '.join(words)}.".strip()
                raise PlanError(
                    f"{family.title} has no component '{name}' to merge",
                    where=rule.where,
                    hint=hint,
                )
        # averaged VAEs darken pictures: taken whole, unless the recipe says otherwise
        if "vae" in self._first.components and "vae" not in rules:
            rules["vae"] = ComponentRule(take="base", where=self._stage.where)
        return rules, assets

    def _named(self, word: str, where: str) -> Member:
        """The member that `take: word` means: the base or first model, an alias, else a path."""
        if word == "base":
            return self._first
        for ref in self._stage.models:  # among them the base, which is no part of a delta method
            if ref.name == word:
                return self._open(ref.name, ref.path, self._base, ref.where)
        return self._open(stem(word), word, self._base, where)

    def _how(self, rule: ComponentRule | None) -> str:
        if rule is not None and rule.take is not None:
            name = self._named(rule.take, rule.where).name
            whose = f" ({stem(self._stage.base)})" if name == "base" and self._stage.base else ""
            return f"taken from {name}{whose}"
        return (rule.method if rule else None) or self._spec.name

    def _plan_component(
        self, name: str, rule: ComponentRule | None, valuer: Valuer
    ) -> tuple[Member, dict[str, Node]]:
        """Whose tensors they are like, and the node of each."""
        holder = self._first
        if rule is not None and rule.take is not None:
            holder = self._named(rule.take, rule.where)
            self._check_taken(holder, name, rule)
            return holder, {key: holder.nodes[key] for key in self._keys(holder, name)}
        keys, parts, spec = self._keys(holder, name), self._having(name), self._spec
        if rule is not None and rule.method is not None:
            spec = manifest()[rule.method]
            self._check_count(spec, parts, rule.where)
        return holder, {key: self._node(key, spec, parts, rule, valuer) for key in keys}

    def _wholes(self, spec: MethodSpec, members: list[Member]) -> tuple[Whole, ...]:
        """The inputs as models of their own; where changes of the base are trained, it as well."""
        trained = spec.fit is not None and spec.fit.probe == "mergers"
        every = [*members, self._first] if trained else members
        return tuple(whole_model(member, self._first) for member in every)

    def _keys(self, holder: Member, component: str) -> list[str]:
        return [key for key in holder.specs if self._model.component_of(key) == component]

    def _check_taken(self, holder: Member, name: str, rule: ComponentRule) -> None:
        first = self._first.family
        if holder.family.name != first.name and not _shared(name, holder, first):
            own = f"the recipe's models are {first.title}"
            raise PlanError(f"'{holder.name}' is {holder.family.title}, {own}", where=rule.where)
        if holder.space != "weight" or not self._keys(holder, name):
            raise PlanError(f"'{holder.name}' has no {name} to take", where=rule.where)
        check_complete(holder, name)

    def _having(self, component: str) -> list[_Part]:
        """The inputs that have the component; a note says which one plays no part there."""
        having: list[_Part] = []
        for part in self._parts:
            if (
                not component
                or part.member.space != "weight"
                or component in part.member.components
            ):
                having.append(part)
            else:
                self._notes.append(f"{part.member.name} has no {component}: it plays no part there")
        return having

    def _node(
        self,
        key: str,
        spec: MethodSpec,
        parts: list[_Part],
        rule: ComponentRule | None,
        valuer: Valuer,
    ) -> Node:
        own = self._first.nodes[key]
        incomplete = any(
            part.member.space == "weight" and key not in part.member.specs for part in parts
        )
        space = spec.space_with(base=self._base is not None)
        if not self._first.specs[key].is_float or incomplete or len(parts) < spec.models[0]:
            return own
        if not spec.ordered:
            # by alias, so that the order in the recipe does not change the bytes
            parts = sorted(parts, key=lambda part: part.member.name)
        if space == "delta" and self._base is None:
            raise PlanError(
                f"{spec.name} needs a base_model", where=rule.where if rule else self._stage.where
            )
        values = valuer.values(key, spec, self._voices(key, parts, space), rule)
        if spec.leaves(dict(values)) and parts[0].member.nodes.get(key, own) == own:
            return own
        needs_base = space == "delta" or any(part.member.space != "weight" for part in parts)
        merge = Combine(
            method=spec.name,
            version=spec.version,
            space=space,
            inputs=tuple(part.member.nodes.get(key) for part in parts),
            names=tuple(part.member.name for part in parts),
            base=own if needs_base else None,
            values=values,
            seed=self._seed if spec.random else None,
        )
        fit = self._fits.add(
            self._model.component_of(key) if rule else "",
            spec,
            lambda: self._wholes(spec, [part.member for part in parts]),
            key=key,
            merge=merge,
            start=own,
            like=self._first.specs[key],
            block=self._model.block_of[key],
        )
        # a difference of nothing is nothing, whatever the delta method does with it
        if (space == "delta" or self._alone) and all(
            part.member.nodes.get(key, own) == own for part in parts
        ):
            return own
        return replace(merge, fit=fit)

    def _voices(self, key: str, parts: Sequence[_Part], space: Space) -> list[Part]:
        """The inputs as the values of `key` see them; a difference of nothing changes nothing."""
        own = self._first.nodes[key]
        return [
            Part(
                part.member.name,
                part.settings,
                space == "weight" or part.member.nodes.get(key, own) != own,
            )
            for part in parts
        ]


def _shared(component: str, holder: Member, family: Family) -> bool:
    """Whether a file without a main network may be of `family` as well, as a lone VAE may."""
    if component not in holder.family.by_name or holder.family.main.name in holder.components:
        return False
    layout = component, SINGLE_FILE
    return holder.family.tables[layout].rules == family.tables[layout].rules
