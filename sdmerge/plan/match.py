"""Do the models of a stage fit together? What does not is found before a tensor is read."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from sdmerge.errors import FamilyError, PlanError
from sdmerge.plan.inputs import Member


def check_members(first: Member, others: Sequence[Member], notes: list[str]) -> None:
    """Check families, shapes and completeness against `first`; what others have more is a note."""
    check_complete(first)
    for other in others:
        if other.space != "weight" or other.nodes == first.nodes:
            continue
        _check_family(first, other)
        check_complete(other)
        _check_shapes(first, other)
        _check_keys(first, other)
        more = [key for key in other.specs if key not in first.specs]
        if more:
            notes.append(
                f"{other.name} has {_tensors(len(more))} that {first.name} lacks "
                f"({more[0]}, …): left out"
            )


def _check_family(first: Member, other: Member) -> None:
    if first.family.name != other.family.name:
        what = f"'{other.name}' is {other.family.title}, '{first.name}' is {first.family.title}"
        hint = "Models of different families have no tensors in common to merge."
        raise FamilyError(what, where=other.where, hint=hint)


def check_complete(member: Member, component: str = "") -> None:
    """A PlanError that names the first tensor that `member`, or its `component`, should have."""
    missing = [key for key in member.missing if not component or key.startswith(f"{component}.")]
    if not missing:
        return
    by_component = Counter(key.split(".", 1)[0] for key in missing)
    parts = ", ".join(f"{count} of {component}" for component, count in by_component.items())
    what = f"lacks {_tensors(len(missing))} ({parts}; first: {missing[0]})"
    where = str(member.source.path) if member.source else member.name
    raise PlanError(what, where=where, hint="The file was pruned or cut; fetch it again.")


def _check_shapes(first: Member, other: Member) -> None:
    differing = [
        key
        for key, spec in first.specs.items()
        if key in other.specs and other.specs[key].shape != spec.shape
    ]
    if not differing:
        return
    key = differing[0]
    ours, theirs = list(first.specs[key].shape), list(other.specs[key].shape)
    what = (
        f"{_tensors(len(differing))} of {len(first.specs)} differ in shape between "
        f"'{first.name}' and "
        f"'{other.name}' (first: {key} {ours} against {theirs})"
    )
    hint = _shape_hint(key, ours, theirs, first, other)
    raise PlanError(what, where=other.where, hint=hint)


def _shape_hint(key: str, ours: list[int], theirs: list[int], first: Member, other: Member) -> str:
    if key.endswith(".conv_in.weight") and ours[0] == theirs[0]:
        wider = first.name if ours[1] > theirs[1] else other.name
        channels = max(ours[1], theirs[1])
        return (
            f"'{wider}' takes {channels} input channels, so it is an inpainting or editing model; "
            "merge it with its kind."
        )
    return "They are of one family but of different sizes; only models of one size can be merged."


def _check_keys(first: Member, other: Member) -> None:
    """A component that both have must have the same tensors; extras may differ."""
    shared = set(first.components) & set(other.components)
    absent = [
        key for key in first.specs if key.split(".", 1)[0] in shared and key not in other.specs
    ]
    if absent or (not first.components and any(key not in other.specs for key in first.specs)):
        absent = absent or [key for key in first.specs if key not in other.specs]
        what = (
            f"'{other.name}' lacks {_tensors(len(absent))} that '{first.name}' has "
            f"(first: {absent[0]})"
        )
        hint = "The file was pruned or cut, or is a variant with another structure."
        raise PlanError(what, where=other.where, hint=hint)


def _tensors(count: int) -> str:
    return "1 tensor" if count == 1 else f"{count:,} tensors"
