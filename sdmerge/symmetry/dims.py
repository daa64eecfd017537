"""Dims: the dimensions of a network's tensors. What is added or multiplied shares one.

None stands for a dimension whose indices have a meaning of their own (a batch, pixels, words).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Literal

import numpy as np


@dataclass(eq=False)
class Form:
    """A dim made of others: one after the other (cat), or all pairs of two (split: heads × d)."""

    kind: Literal["cat", "split"]
    parts: tuple[Dim, ...]


@dataclass(eq=False)
class Dim:
    """A dimension of `size` indices; `fixed` ones keep their order.

    `blocks` are partitions by label that a permutation must respect, as GroupNorm's groups.
    """

    size: int
    fixed: bool = False
    form: Form | None = None
    blocks: list[np.ndarray] = field(default_factory=list[np.ndarray])
    parent: Dim | None = None

    def root(self) -> Dim:
        """The dim that stands for all that are one with this."""
        dim = self
        while dim.parent is not None:
            dim = dim.parent
        return dim


def freeze(dim: Dim | None) -> None:
    """Keep the order of a dim and of all that it is made of."""
    if dim is None:
        return
    root = dim.root()
    root.fixed = True
    for part in root.form.parts if root.form else ():
        if not part.root().fixed:
            freeze(part)


def unify(first: Dim | None, second: Dim | None) -> Dim | None:
    """Make two dims one; beside None, whose order has a meaning, a dim is frozen."""
    if first is None or second is None:
        freeze(first or second)
        return first or second
    one, other = first.root(), second.root()
    if one is other:
        return one
    if one.size != other.size:
        freeze(one)
        freeze(other)
        return one
    other.parent = one
    one.blocks += other.blocks
    fixed = one.fixed or other.fixed
    forms = one.form, other.form
    one.form = forms[0] or forms[1]
    if forms[0] and forms[1]:
        _unify_forms(forms[0], forms[1])
    if fixed:
        freeze(one)
    return one


def _unify_forms(one: Form, other: Form) -> None:
    sizes = [[part.size for part in form.parts] for form in (one, other)]
    if one.kind == other.kind and sizes[0] == sizes[1]:
        for left, right in zip(one.parts, other.parts, strict=True):
            unify(left, right)
        return
    for part in (*one.parts, *other.parts):
        freeze(part)


def cat(dims: Sequence[Dim | None], sizes: Sequence[int]) -> Dim | None:
    """The dim of tensors laid one after the other."""
    if all(dim is None for dim in dims):
        return None
    parts = tuple(dim or Dim(size, fixed=True) for dim, size in zip(dims, sizes, strict=True))
    return Dim(sum(sizes), form=Form("cat", parts))


def divide(dim: Dim, kind: Literal["cat", "split"], sizes: Sequence[int]) -> tuple[Dim, ...] | None:
    """The parts of a dim that is cut or reshaped; None, and frozen, if it is cut otherwise too."""
    root = dim.root()
    if root.form is None:
        parts = tuple(Dim(size, fixed=root.fixed) for size in sizes)
        root.form = Form(kind, parts)
    if root.form.kind == kind and [part.size for part in root.form.parts] == list(sizes):
        return root.form.parts
    freeze(root)
    return None
