"""Match: the permutation of one model's channels that makes its weights most like another's."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator, Mapping, Sequence

import numpy as np
import torch
from torch import Tensor

from sdmerge.symmetry.layout import Index, Layout, Part, Var

Read = Callable[[str], Tensor]


def align(
    target: Read,
    model: Read,
    layout: Layout,
    variables: Sequence[Var],
    *,
    sweeps: int,
    report: Callable[[float], None],
) -> None:
    """Set `variables` so that the permuted `model` has the largest inner product with `target`.

    Ainsworth et al., "Git Re-Basin", 2023, §3.2 and algorithm 1: one variable after the other, in
    random order, each by an exact linear assignment, until a sweep changes nothing.
    """
    places = _places(layout)
    dice = random.Random(0)
    order = list(variables)
    for sweep in range(sweeps):
        dice.shuffle(order)
        changed = False
        for number, var in enumerate(order):
            report((sweep + number / len(order)) / sweeps)
            changed |= _improve(var, target, model, layout, places[id(var)])
        if not changed:
            return


def permuted(tensor: Tensor, axes: Sequence[Sequence[Part]], skip: int = -1) -> Tensor:
    """The tensor with every axis but one in its new order."""
    for axis, parts in enumerate(axes):
        if parts and axis != skip:
            tensor = tensor.index_select(axis, torch.from_numpy(axis_index(parts)))  # pyright: ignore[reportUnknownMemberType]
    return tensor


def axis_index(parts: Sequence[Part]) -> Index:
    """Per index of an axis the one that comes to stand there."""
    start, found = 0, list[Index]()
    for part in parts:
        found.append(part.index() + start)
        start += part.size
    return np.concatenate(found)


def _places(layout: Layout) -> Mapping[int, list[tuple[str, int]]]:
    """Where each variable has a say: parameter and axis."""
    found: dict[int, list[tuple[str, int]]] = {}
    for name, axes in layout.items():
        for axis, parts in enumerate(axes):
            for var in {id(v): v for part in parts for v in (part.var, part.pairs) if v}:
                found.setdefault(var, []).append((name, axis))
    return found


class _Gains:
    """The inner products that placing one index at another's place would add, for one variable."""

    def __init__(self, var: Var) -> None:
        self._var = var
        sizes = [sum(map(len, cells)) for cells in var.kinds]
        self.kinds = [np.zeros((size, size)) for size in sizes]
        self.whole = np.zeros((len(var.order), len(var.order)))

    def add(self, part: Part, products: np.ndarray) -> None:
        """Take in the products [size, size] of a stretch of target and model."""
        if not part.inner_size:
            self.kinds[part.kind] += products
            return
        cells = part.size // part.inner_size
        four = products.reshape(cells, part.inner_size, cells, part.inner_size)
        if part.var is self._var:
            inner = np.arange(part.inner_size) if part.pairs is None else part.pairs.index(0)
            self.whole += np.einsum("atbt->ab", four[:, :, :, inner])
        if part.pairs is self._var:
            outer = np.arange(cells) if part.var is None else part.var.order
            self.kinds[0] += np.einsum("atau->tu", four[:, :, outer, :])

    def score(self) -> float:
        """What the variable's present order adds up to."""
        var = self._var
        own = sum(
            float(gains[np.arange(len(gains)), var.index(kind)].sum())
            for kind, gains in enumerate(self.kinds)
        )
        return own + float(self.whole[np.arange(len(var.order)), var.order].sum())

    def solve(self) -> tuple[Index, list[list[Index]]]:
        """The order of cells, and of the indices in each, that add up to the most."""
        var, count = self._var, len(self._var.order)
        pairs = [(a, b) for a in range(count) for b in range(count) if var.swaps or a == b]
        best = self.whole.copy()
        inner: dict[tuple[int, int, int], Index] = {}
        for kind, (gains, cells) in enumerate(zip(self.kinds, var.kinds, strict=True)):
            for a, b in pairs if len(gains) else ():
                block = gains[np.ix_(cells[a], cells[b])]
                inner[kind, a, b] = _assign(block)
                best[a, b] += block[np.arange(len(block)), inner[kind, a, b]].sum()
        order = _assign(best) if var.swaps else np.arange(count)
        none = np.arange(0)
        return order, [
            [inner.get((kind, a, int(b)), none) for a, b in enumerate(order)]
            for kind in range(len(var.kinds))
        ]


def _assign(gains: np.ndarray) -> Index:
    from scipy.optimize import linear_sum_assignment  # pyright: ignore[reportUnknownVariableType]

    return np.asarray(linear_sum_assignment(gains, maximize=True)[1])  # pyright: ignore[reportUnknownArgumentType, reportUnknownVariableType]


def _improve(
    var: Var, target: Read, model: Read, layout: Layout, places: Sequence[tuple[str, int]]
) -> bool:
    """Set `var` to the best there is while the others stay; whether that is better than it was."""
    gains = _Gains(var)
    for name, axis in places:
        ours = _rows(target(name), axis)
        theirs = _rows(permuted(model(name), layout[name], skip=axis), axis)
        for part, start, stop in _stretches(layout[name][axis]):
            if part.var is var or part.pairs is var:
                gains.add(part, (ours[start:stop] @ theirs[start:stop].T).numpy())
    before, kept = gains.score(), (var.order, var.inner)
    var.order, var.inner = gains.solve()
    if gains.score() > before + 1e-9 * abs(before):
        return True
    var.order, var.inner = kept
    return False


def _rows(tensor: Tensor, axis: int) -> Tensor:
    return tensor.double().movedim(axis, 0).reshape(tensor.shape[axis], -1)


def _stretches(parts: Sequence[Part]) -> Iterator[tuple[Part, int, int]]:
    start = 0
    for part in parts:
        yield part, start, start + part.size
        start += part.size
