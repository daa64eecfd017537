"""A result stored as a LoRA: what it has beyond its base, and how much of that is kept."""

from __future__ import annotations

from collections.abc import Mapping
from typing import get_args

from sdmerge.adapters.lora.forms import Form, FormName
from sdmerge.adapters.lora.kinds import LowRank
from sdmerge.adapters.lora.source import LoraSource
from sdmerge.adapters.lora.spelling import Dialect
from sdmerge.adapters.nothing import Nothing
from sdmerge.adapters.source import Source
from sdmerge.errors import PlanError
from sdmerge.method import is_mean
from sdmerge.methods import METHODS
from sdmerge.params import Scalar
from sdmerge.plan.inputs import Inputs, Member
from sdmerge.plan.ranks import Bound, bounds_by_key, is_matrix
from sdmerge.plan.tasks import Combine, Difference, Node, Task, reads
from sdmerge.recipe import Output
from sdmerge.tensors.spec import TensorSpec, parse_dtype

_FORMS: Mapping[str, FormName] = {name: name for name in get_args(FormName)}
_DIALECTS: Mapping[str, Dialect] = {name: name for name in get_args(Dialect)}


def changes(
    result: Member, base: Member | None, output: Output, inputs: Inputs, where: str
) -> tuple[Task, ...]:
    """A task for every tensor in which the result differs from the base."""
    if base is None:
        hint = "Name the model that it is a change of: base_model: PATH."
        raise PlanError("a LoRA of checkpoints needs a base_model", where=where, hint=hint)
    form = _checked(output.lora, base, where)
    dtype = parse_dtype(output.dtype) if output.dtype else _dtype_of(inputs, base)
    found: dict[str, TensorSpec] = {}
    for key, node in result.nodes.items():
        spec = result.specs[key]
        if _stays(node, base.nodes.get(key)):
            continue
        if key not in base.specs or base.specs[key].shape != spec.shape:
            hint = "Take it from the base: components: {NAME: {take: base}}."
            raise PlanError(f"'{base.name}' has no {key} to change", where=where, hint=hint)
        if spec.is_float:
            found[key] = TensorSpec(dtype or spec.dtype, spec.shape)
    if not found:
        raise PlanError("the result does not differ from base_model", where=where)
    bounds = bounds_by_key(output.lora, found, form)
    if not any(bounds.values()) and form.name != "lokr":
        bounds = _sums_of_ranks(result, base, found, inputs)
        if not bounds:
            hint = "Say one of rank, energy, error, ratio, quantile, size under 'output'."
            raise PlanError("how large is the LoRA to be?", where=where, hint=hint)
    return tuple(
        Task(key, spec, Difference(result.nodes[key], base.nodes[key], bounds.get(key, ()), form))
        for key, spec in found.items()
    )


def form_of(asked: Mapping[str, Scalar]) -> Form:
    """As what the changes are stored."""
    name = _FORMS.get(str(asked.get("kind")), "lora")
    return Form(name, int(asked.get("factor", -1)))


def dialect_of(output: Output) -> Dialect:
    """Whose names the LoRA bears: what is asked for, or what its kind has a name in."""
    return _DIALECTS.get(str(output.lora.get("dialect")), form_of(output.lora).dialect)


def _checked(asked: Mapping[str, Scalar], base: Member, where: str) -> Form:
    """The form; what goes not together is a PlanError."""
    form = form_of(asked)
    if "factor" in asked and form.name != "lokr":
        raise PlanError("factor belongs to kind: lokr", where=where)
    if form.factor == 0:
        hint = "-1 splits as evenly as can be; 8 makes a first factor of 8 rows and columns."
        raise PlanError("factor = 0 splits nothing", where=where, hint=hint)
    if "conv_rank" in asked and form.name == "lokr":
        hint = "Choose a factor; rank is that of the second factor in linear layers."
        raise PlanError("a LoKr of a convolution has no rank", where=where, hint=hint)
    if form.name == "dora" and isinstance(base.source, Nothing):
        hint = "Name the model that they are for: base_model, or --base."
        raise PlanError("a DoRA holds lengths of the base's weights", where=where, hint=hint)
    return form


def _stays(node: Node, start: Node | None) -> bool:
    """Whether a node gives what it starts from: a mean of n × A is A."""
    if node == start or not isinstance(node, Combine) or node.space == "delta":
        return node == start
    if any(one is not None and one != start for one in node.inputs):
        return False
    shares = METHODS[node.method].shares(node.values, len(node.inputs))
    return shares is None or is_mean(shares)


def _sums_of_ranks(
    result: Member, base: Member, specs: Mapping[str, TensorSpec], inputs: Inputs
) -> dict[str, Bound]:
    """As the bound of each matrix the sum of the ranks it is made of; {} if one has none.

    Where a method turns with its models that is exact, and elsewhere a LoRA like its parts.
    """
    found: dict[str, Bound] = {}
    for key in specs:
        if not is_matrix(key, specs[key].shape):
            continue
        own = set(reads(result.nodes[key])) - set(reads(base.nodes[key]))
        ranks = [_rank_in(inputs.sources[read.source], key) for read in own]
        if None in ranks:
            return {}
        found[key] = (("rank", float(sum(rank or 0 for rank in ranks))),)
    return found


def _rank_in(source: Source, key: str) -> int | None:
    """The rank of a LoRA's change of a tensor; None for what is no plain LoRA."""
    if not isinstance(source, LoraSource):
        return None
    edits = [change.edit for change in source.changes[key]]
    if not all(isinstance(edit, LowRank) for edit in edits):
        return None
    return sum(edit.rank or 0 for edit in edits)


def _dtype_of(inputs: Inputs, base: Member) -> str | None:
    """The widest dtype of the LoRAs where they have no base; else each tensor keeps the base's."""
    if not isinstance(base.source, Nothing):
        return None
    stored = {
        spec.dtype
        for lora in inputs.loras
        for spec in lora.store.specs.values()
        if spec.is_float and spec.numel > 1
    }
    return stored.pop() if len(stored) == 1 else "F32"
