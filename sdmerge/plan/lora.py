"""A result stored as a LoRA: what it has beyond its base, and how much of that is kept."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

from sdmerge.adapters import LoraFile
from sdmerge.adapters.lora.kinds import LowRank
from sdmerge.adapters.lora.origin import likely_families, own_specs
from sdmerge.adapters.lora.source import LoraSource
from sdmerge.adapters.nothing import Nothing
from sdmerge.adapters.source import Source
from sdmerge.bounds import Bounds
from sdmerge.errors import InputError, PlanError
from sdmerge.families.family import Family
from sdmerge.method import is_mean
from sdmerge.methods import METHODS
from sdmerge.params import Scalar
from sdmerge.plan.inputs import Inputs, Member
from sdmerge.plan.tasks import Combine, Difference, Node, Task, reads
from sdmerge.recipe import Output, Stage
from sdmerge.tensors.space import parse_size
from sdmerge.tensors.spec import ITEMSIZE, TensorSpec, parse_dtype

Bound = tuple[tuple[str, float], ...]
"""Bounds as values, for a task's address."""

_PER_TENSOR, _PER_FILE = 220, 1 << 16
"""Bytes of a header: a name, a dtype, a shape and offsets for each tensor, and the metadata."""


def no_base(stage: Stage, inputs: Inputs, stages: Mapping[str, Member]) -> Member | None:
    """What LoRAs alone are changes of: the family they fit, at its own sizes and without values.

    None where the stage has other models. A LoRA that fits no family so, or several, is an error.
    """
    if any(ref.path in stages for ref in stage.models):
        return None
    loras = [(ref, inputs.open(ref.path, ref.where)) for ref in stage.models]
    families: list[Family] = []
    for ref, lora in loras:
        if not isinstance(lora, LoraFile):
            return None
        likely = likely_families(lora.modules)
        if len(likely) != 1:
            titles = " or ".join(family.title for family in likely)
            what = f"may be for {titles}" if likely else "fits no family at its own sizes"
            hint = "Name the checkpoint it belongs to: base_model, or --base."
            raise PlanError(f"'{ref.name}' {what}", where=ref.where, hint=hint)
        families += likely
    first = families[0]
    for (ref, _), family in zip(loras, families, strict=True):
        if family is not first:
            what = f"'{ref.name}' is for {family.title}, '{loras[0][0].name}' for {first.title}"
            raise PlanError(what, where=ref.where)
    return inputs.member("base", Nothing(first, own_specs(first)), None, stage.where)


def changes(
    result: Member, base: Member | None, output: Output, inputs: Inputs, where: str
) -> tuple[Task, ...]:
    """A task for every tensor in which the result differs from the base."""
    if base is None:
        hint = "Name the model that it is a change of: base_model: PATH."
        raise PlanError("a LoRA of checkpoints needs a base_model", where=where, hint=hint)
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
    bounds = bounds_by_key(output.lora, found)
    if not any(bounds.values()):
        bounds = _sums_of_ranks(result, base, found, inputs)
        if not bounds:
            hint = "Say one of rank, energy, error, ratio, quantile, size under 'output'."
            raise PlanError("how large is the LoRA to be?", where=where, hint=hint)
    return tuple(
        Task(key, spec, Difference(result.nodes[key], base.nodes[key], bounds.get(key, ())))
        for key, spec in found.items()
    )


def _stays(node: Node, start: Node | None) -> bool:
    """Whether a node gives what it starts from: a mean of n × A is A."""
    if node == start or not isinstance(node, Combine) or node.space == "delta":
        return node == start
    if any(one is not None and one != start for one in node.inputs):
        return False
    shares = METHODS[node.method].shares(node.values, len(node.inputs))
    return shares is None or is_mean(shares)


def is_matrix(key: str, shape: Sequence[int]) -> bool:
    """Whether a LoRA holds a weight's change as a product: not of biases, norms and embeddings."""
    return len(shape) >= 2 and not key.endswith("embedding.weight")


def bounds_by_key(asked: Mapping[str, Scalar], specs: Mapping[str, TensorSpec]) -> dict[str, Bound]:
    """The bounds of every matrix's rank, as values; a size becomes the rank that fits."""
    matrices = {key: spec for key, spec in specs.items() if is_matrix(key, spec.shape)}
    shared = {
        name: float(asked[name])
        for name in ("energy", "error", "ratio", "quantile")
        if name in asked
    }
    linear = int(asked["rank"]) if "rank" in asked else None
    conv = int(asked["conv_rank"]) if "conv_rank" in asked else None
    if "size" in asked:
        fits = rank_that_fits(parse_size(str(asked["size"])), specs, linear, conv)
        linear = min(fits, linear or fits)
    found: dict[str, Bound] = {}
    for key, spec in matrices.items():
        rank = _rank(spec, linear, conv)
        own = {**shared, "rank": float(rank)} if rank is not None else shared
        found[key] = tuple(own.items())
    return found


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


def bounds_of(values: Bound) -> Bounds:
    """The bounds that a task carries."""
    given = dict(values)
    rank = given.pop("rank", None)
    return Bounds(rank=None if rank is None else int(rank), **given)


def rank_that_fits(
    size: int, specs: Mapping[str, TensorSpec], linear: int | None, conv: int | None
) -> int:
    """The largest rank at which the file is no larger than `size`; an InputError if none is."""
    low, high = 0, max(linear or 0, *(min(_sides(spec)) for spec in specs.values()))
    while low < high:
        middle = (low + high + 1) // 2
        if file_bytes(specs, middle, conv) <= size:
            low = middle
        else:
            high = middle - 1
    if low == 0:
        least = file_bytes(specs, 1, conv)
        hint = "Ask for more, or leave components out."
        raise InputError(f"{size:,} bytes are too few: at rank 1 it has {least:,}", hint=hint)
    return low


def file_bytes(specs: Mapping[str, TensorSpec], linear: int | None, conv: int | None) -> int:
    """The most that a LoRA of these ranks takes on disk; None: full ranks."""
    total = _PER_FILE
    for key, spec in specs.items():
        if not is_matrix(key, spec.shape):
            total += spec.nbytes + _PER_TENSOR
            continue
        rows, columns = _sides(spec)
        rank = min(rows, columns, _rank(spec, linear, conv) or rows)
        total += rank * (rows + columns) * ITEMSIZE[spec.dtype] + 3 * _PER_TENSOR
    return total


def lora_bytes(tasks: Sequence[Task]) -> int:
    """The most that the tasks' LoRA takes on disk."""
    total = 0
    for task in tasks:
        bounds = task.node.bounds if isinstance(task.node, Difference) else ()
        rank = bounds_of(bounds).rank
        total += file_bytes({task.key: task.spec}, rank, rank) - _PER_FILE
    return total + _PER_FILE


def _rank(spec: TensorSpec, linear: int | None, conv: int | None) -> int | None:
    """A convolution's rank has a limit of its own, which a smaller one for all may lower."""
    if conv is None or math.prod(spec.shape[2:]) == 1:
        return linear
    return min(conv, linear) if linear is not None and conv > linear else conv


def _sides(spec: TensorSpec) -> tuple[int, int]:
    rows = spec.shape[0] if spec.shape else 1
    return rows, max(1, spec.numel // max(1, rows))


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
