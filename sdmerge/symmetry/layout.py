"""Layout: what may be permuted in each parameter, as a few independent variables."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from sdmerge.symmetry.dims import Dim

Index = np.ndarray


@dataclass(eq=False)
class Var:
    """A permutation of cells as wholes (if `swaps`) and of the indices inside each.

    `kinds` are dims that share the order of the cells and no more: attention's queries with its
    keys, and its values. Per kind the indices of each cell. Channels are one kind of one cell,
    those under a GroupNorm one kind whose cells are its groups.
    """

    kinds: list[list[Index]]
    swaps: bool
    order: Index = field(init=False)
    inner: list[list[Index]] = field(init=False)

    def __post_init__(self) -> None:
        self.reset()

    def reset(self) -> None:
        """Back to the identity."""
        self.order = np.arange(len(self.kinds[0]))
        self.inner = [[np.arange(len(cell)) for cell in cells] for cells in self.kinds]

    def index(self, kind: int) -> Index:
        """Per index of a dim of this kind the index that comes to stand there."""
        cells, found = self.kinds[kind], np.empty(sum(map(len, self.kinds[kind])), np.int64)
        for place, (source, inner) in enumerate(zip(self.order, self.inner[kind], strict=True)):
            found[cells[place]] = cells[source][inner]
        return found


@dataclass(frozen=True, eq=False)
class Part:
    """A stretch of an axis: a var's kind, or all pairs of a var's cells with another's indices.

    Neither for one that stays as it is.
    """

    size: int
    var: Var | None = None
    kind: int = 0
    pairs: Var | None = None
    """The inner var of a product, whose order all cells share; `var` is then the outer one."""
    inner_size: int = 0

    def index(self) -> Index:
        """Per index the one that comes to stand there."""
        if not self.inner_size:
            return np.arange(self.size) if self.var is None else self.var.index(self.kind)
        outer = np.arange(self.size // self.inner_size) if self.var is None else self.var.order
        inner = np.arange(self.inner_size) if self.pairs is None else self.pairs.index(0)
        return (outer[:, None] * self.inner_size + inner).reshape(-1)


Layout = Mapping[str, Sequence[Sequence[Part]]]
"""Parameter → axis → its parts in order; an axis that stays as it is has none."""


def layout_of(traced: Mapping[str, Sequence[Dim | None]]) -> tuple[Layout, list[Var]]:
    """The layout of each parameter, and the variables it is written in."""
    dims = [dim.root() for axes in traced.values() for dim in axes if dim is not None]
    _push_blocks(dims)
    atoms = {id(atom): atom for dim in dims for atom in _atoms(dim)}
    maker = _Maker(list(atoms.values()))
    layout = {
        name: [() if dim is None else maker.parts(dim.root()) for dim in axes]
        for name, axes in traced.items()
    }
    return layout, maker.vars


def _push_blocks(dims: Sequence[Dim]) -> None:
    """Hand what a norm asks of concatenated channels down to where they come from."""
    pending = list({id(dim): dim for dim in dims}.values())
    while pending:
        dim = pending.pop().root()
        if dim.form is None:
            continue
        blocks, start = dim.blocks, 0
        dim.blocks = []
        for part in dim.form.parts:
            if dim.form.kind == "cat":
                stop = start + part.size
                part.root().blocks += [labels[start:stop] for labels in blocks]
                start = stop
            elif blocks:
                part.root().fixed = True
            pending.append(part)


def _atoms(dim: Dim) -> Iterator[Dim]:
    """What a dim is made of, one after the other: dims without parts, and pairs of two."""
    root = dim.root()
    if root.form is None or root.form.kind == "split":
        yield root
        return
    for part in root.form.parts:
        yield from _atoms(part)


class _Maker:
    """Makes one var per independent permutation."""

    def __init__(self, atoms: Sequence[Dim]) -> None:
        self.vars: list[Var] = []
        self._plain: dict[int, Var] = {}
        self._outer: dict[int, Var] = {}
        self._kinds: dict[int, int] = {}
        alone = {id(atom) for atom in atoms if atom.form is None}
        outers: dict[int, set[int]] = {}
        for atom in atoms:
            if atom.form is not None:
                outer, inner = (part.root() for part in atom.form.parts)
                outers.setdefault(id(inner), set()).add(id(outer))
        self._shared = {inner for inner, over in outers.items() if len(over) > 1 or inner in alone}

    def parts(self, dim: Dim) -> Sequence[Part]:
        """The parts of an axis; none if nothing in it moves."""
        found = [self._part(atom) for atom in _atoms(dim)]
        return found if any(part.var or part.pairs for part in found) else ()

    def _part(self, atom: Dim) -> Part:
        if atom.form is None:
            if id(atom) in self._outer:  # one number per head
                return Part(atom.size, self._outer[id(atom)], inner_size=1)
            return Part(atom.size, self._var(atom))
        outer, inner = (part.root() for part in atom.form.parts)
        if any(part.form is not None for part in (outer, inner)):
            return Part(atom.size)
        if id(inner) in self._shared or inner.fixed:
            return Part(
                atom.size, self._heads(outer), pairs=self._var(inner), inner_size=inner.size
            )
        heads = self._heads(outer, always=True)
        assert heads is not None, "always one"
        if id(inner) not in self._kinds:
            cells = [np.arange(inner.size) + inner.size * h for h in range(outer.size)]
            # the first kind takes the place of the bare cells
            if len(heads.kinds[0][0]) == 0:
                heads.kinds.clear()
            self._kinds[id(inner)] = len(heads.kinds)
            heads.kinds.append(cells)
            heads.reset()
        return Part(atom.size, heads, self._kinds[id(inner)])

    def _heads(self, outer: Dim, *, always: bool = False) -> Var | None:
        """The var of whole heads; None if they stay in order and nothing in them moves."""
        if outer.fixed and not always:
            return None
        if id(outer) not in self._outer:
            bare = [np.arange(0) for _ in range(outer.size)]
            self._outer[id(outer)] = Var([bare], swaps=not outer.fixed)
            self.vars.append(self._outer[id(outer)])
        return self._outer[id(outer)]

    def _var(self, dim: Dim) -> Var | None:
        if dim.fixed:
            return None
        if id(dim) not in self._plain:
            cells = _cells(dim)
            # only groups of one and the same norm may change places
            same = len({labels.tobytes() for labels in dim.blocks}) == 1
            swaps = same and len({len(cell) for cell in cells}) == 1
            self._plain[id(dim)] = Var([cells], swaps)
            self.vars.append(self._plain[id(dim)])
        return self._plain[id(dim)]


def _cells(dim: Dim) -> list[Index]:
    """The indices that every norm keeps together."""
    if not dim.blocks:
        return [np.arange(dim.size)]
    labels = np.stack(dim.blocks)
    _, cell = np.unique(labels, axis=1, return_inverse=True)
    return [np.flatnonzero(cell == one) for one in np.unique(cell)]
