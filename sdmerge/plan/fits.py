"""Fits: which tensors a method looks at before it merges the first, collected while planning."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from sdmerge.adapters.source import Source
from sdmerge.manifest import MethodSpec, manifest
from sdmerge.plan.inputs import Member, stored_bytes
from sdmerge.plan.tasks import Combine, Fit, Node, Read, Task, Values, located
from sdmerge.tensors.space import readable
from sdmerge.tensors.spec import TensorSpec

Whole = tuple[Task, ...]

LOADED = ("activations", "gradients", "mergers", "score")
"""Probes of models that run, with their weights."""


@dataclass
class Fits:
    """The fits of one stage; `every` are those of the whole plan, to which new ones are added.

    Merges of one method share a fit if they are planned by one rule and agree in the parameters
    that the fit takes: tensors with other values are looked at apart.
    """

    every: list[Fit]
    seed: int
    _known: dict[object, int] = field(default_factory=dict[object, int])

    def add(
        self,
        scope: str,
        spec: MethodSpec,
        wholes: Callable[[], tuple[Whole, ...]],
        *,
        key: str,
        merge: Combine,
        start: Node,
        like: TensorSpec,
        block: str,
    ) -> int | None:
        """The place of the fit that `merge` belongs to; None if the method needs none here."""
        values = dict(merge.values)
        if spec.fit is None:
            return None
        if spec.fit.unless is not None and values[spec.fit.unless[0]] == spec.fit.unless[1]:
            return None
        own: Values = tuple((name, values[name]) for name in spec.fit.params)
        shared = (scope, spec.name, own, merge.names)
        if shared not in self._known:
            self._known[shared] = len(self.every)
            models = wholes() if spec.fit.probe in LOADED else ()
            seed = self.seed if models else None
            self.every.append(
                Fit(spec.name, spec.version, own, merge.names, spec.fit.probe, seed,
                    {}, {}, {}, {}, models)
            )  # fmt: skip
        number = self._known[shared]
        fit = self.every[number]
        for table, value in ((fit.merges, merge), (fit.bases, start), (fit.specs, like),
                             (fit.blocks, block)):  # fmt: skip
            _put(table, key, value)
        return number

    def notes(self, sources: Sequence[Source]) -> Iterator[str]:
        """What each fit of this stage reads and computes beside the merge itself."""
        for number in self._known.values():
            fit = self.every[number]
            read = computed = 0
            for key, merge in fit.merges.items():
                nodes = [node for node in (*merge.inputs, fit.bases[key]) if node is not None]
                read += sum(
                    stored_bytes(sources[one.source], there)
                    for node in nodes
                    for one, there in located(node, key)
                )
                stages = [node for node in nodes if not isinstance(node, Read)]
                computed += 4 * fit.specs[key].numel * len(stages)
            again = f", and computes {readable(computed)} of earlier stages" if computed else ""
            yield (
                f"{fit.method} looks at {len(fit.merges)} tensors of every model before it merges "
                f"the first: a look reads {readable(read)}{again}"
            )
            if fit.models:
                size = max(sum(task.spec.nbytes for task in model) for model in fit.models)
                yield f"{fit.method} holds one whole model at a time, up to {readable(size)}"


def _put(table: Mapping[str, Any], key: str, value: object) -> None:
    assert isinstance(table, dict), "a fit's tables grow while its stage is planned"
    table[key] = value


def whole_model(member: Member, first: Member) -> Whole:
    """An input as a model of its own: in float32, what it lacks taken from the first model."""
    return tuple(
        Task(key, TensorSpec("F32", spec.shape) if spec.is_float else spec, node)
        for key, spec in first.specs.items()
        if key.split(".", 1)[0] in first.components
        for node in [_weights(member.nodes.get(key), first.nodes[key], first.specs[key])]
    )


def _weights(node: Node | None, start: Node, spec: TensorSpec) -> Node:
    """The node as weights: a difference is added to what the stage starts from."""
    if node is None or not spec.is_float:
        return start
    if not (isinstance(node, Read) and node.space == "delta"):
        return node
    linear = manifest()["linear"]
    values: Values = tuple(
        (param.name, (1.0,) if param.per_model else param.default) for param in linear.params
    )
    return Combine("linear", linear.version, "weight", (node,), ("",), start, values, None)
