"""check_method: what every merge method must hold to, whoever wrote it."""

# torch does not type its linear algebra
# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false
# pyright: reportUnknownArgumentType=false

from __future__ import annotations

import functools
import itertools
import math
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import repeat
from typing import cast

import torch
from torch import Tensor

from sdmerge.engine import SLAB, slabs
from sdmerge.lowrank import Factors
from sdmerge.manifest import Side, Space
from sdmerge.masks import Random, stream_key
from sdmerge.merge import one_torch_thread
from sdmerge.method import Method, as_tensor
from sdmerge.methods import METHODS
from sdmerge.methods.kernels import has_kernel
from sdmerge.place import Place
from sdmerge.testing.bench import (
    DEFAULTS,
    Bench,
    Value,
    Values,
    alternatives,
    ends,
    grid,
    noise,
    usual,
)
from sdmerge.testing.laws import Law, hold
from sdmerge.whole import LEAF, Whole

SHAPES: Sequence[tuple[int, ...]] = ((), (1,), (7,), (6, 5), (5, 4, 1, 1), (4, 3, 3, 3), (0, 5))
"""A scalar, one element, a bias, a matrix, a 1×1 and a 3×3 convolution, and nothing at all."""

SLABS = (1000, LEAF + 1)
_LARGE = (LEAF + 4321,)
_ROWS = (83, 911)
_MATRICES = ((40, 30), (22, 5, 3, 3))
_ROUNDED = 1e-4  # what single precision may cost a spectral method


def check_method(method: Method | str) -> None:
    """Hold a method to the laws; an AssertionError says which one it breaks, and with what values.

    A method of any registry will do; a name is looked up among those that `merge_method` knows.
    """
    held = METHODS[method] if isinstance(method, str) else method
    for based in (False, True) if held.spec.space == "either" else (False,):
        hold(held.name, LAWS, functools.partial(Bench, held, based))


def it_says_what_it_is(bench: Bench) -> None:
    """A title, a summary and a source; every parameter with a range that its default lies in."""
    spec = bench.method.spec
    assert spec.title, "it has no title"
    assert spec.summary, "it has no docstring"
    assert spec.paper.startswith("https://"), "its paper is no address"
    for param in spec.params:
        assert param.doc, f"{param.name} has no text"
        assert param.kind != "float" or param.range, f"{param.name} has no Range"


def it_is_finite_everywhere(bench: Bench) -> None:
    """Right shape and finite at every end of every limit, for odd shapes and for nothing learnt."""
    fewest, most = bench.counts()[0], bench.counts()[-1]
    for values in bench.corners():
        for shape in SHAPES:
            _check_finite(bench, *_models(shape, most), values)
        for count in bench.counts():
            _check_finite(bench, *_models((6, 5), count), values)
        _check_finite(bench, [torch.zeros(6, 5)] * most, torch.zeros(6, 5), values)
        _check_finite(bench, [grid((6, 5), 0)] * most, grid((6, 5), 0), values)
    for values, count in itertools.product(bench.far_corners(), {fewest, most}):
        _check_finite(bench, *_models((6, 5), count), values)


def equal_models_stay(bench: Bench) -> None:
    """Of n × A comes A for weight methods, of n × base exactly the base for delta methods."""
    for count in bench.counts():
        model = noise((40, 30), 1)
        if bench.space == "delta":
            for values in bench.corners():
                _check_equal(bench.merge([model] * count, model, values), model, values)
            continue
        for values in (DEFAULTS, bench.spread()):
            merged = bench.merge([model] * count, model, values)
            assert _distance(merged, model) < 1e-5, f"{count} × A is not A with {dict(values)}"
            half = model.half()
            _check_equal(bench.merge([half] * count, half, values, dtype="F16"), half, values)


def it_runs_from_one_parent_to_the_other(bench: Bench) -> None:
    """Where a parameter leads from A to B: 0 is the first model, 1 the second."""
    a, b, base = noise((40, 30), 1), 3 * noise((40, 30), 2), noise((40, 30), 0)
    for param, end in itertools.product(bench.method.spec.params, (0.0, 1.0)):
        if not param.a_to_b:
            continue
        for values in ({**values, param.name: end} for values in bench.corners()):
            merged, parent = bench.merge([a, b], base, values), b if end else a
            assert _distance(merged, parent) < 1e-6, f"{dict(values)} does not give the parent"


def a_lora_is_what_it_bakes_to(bench: Bench) -> None:
    """A delta and base + delta, given as a checkpoint, make the same bytes."""
    for values, count in itertools.product((DEFAULTS, bench.spread()), bench.counts()):
        base, deltas = grid((40, 30), 0), [grid((40, 30), seed) for seed in range(1, count + 1)]
        baked = [base + delta for delta in deltas]
        wanted = bench.merge(baked, base, values)
        every: list[Space] = ["delta"] * count
        only_last: list[Space] = [*repeat("weight", count - 1), "delta"]
        for spaces in (every, only_last):
            given = [
                delta if space == "delta" else whole
                for delta, whole, space in zip(deltas, baked, spaces, strict=True)
            ]
            _check_equal(bench.merge(given, base, values, spaces=spaces), wanted, values)


def order_is_free_unless_it_has_a_meaning(bench: Bench) -> None:
    """Models given in another order, with their names and values, merge to the same numbers."""
    if bench.method.spec.ordered or max(bench.counts()) < 3:
        return
    models, base = _models((40, 30), 3)
    names, spread = "abc", bench.spread()
    wanted = bench.merge(models, base, spread)
    for order in itertools.permutations(range(3)):
        values: Values = {name: _in_order(value, order) for name, value in spread.items()}
        ordered, own_names = [models[place] for place in order], [names[place] for place in order]
        merged = bench.merge(ordered, base, values, names=own_names)
        assert _distance(merged, wanted) < 1e-5, f"the order {order} gives another result"


def _in_order(value: Value, order: Sequence[int]) -> Value:
    if not isinstance(value, tuple):
        return value
    return cast("Value", tuple(value[place] for place in order))


def chance_comes_from_the_seed(bench: Bench) -> None:
    """Same seed, same bytes. Another seed, tensor or model has another mask, or other draws."""
    models, base = _models((40, 30), max(bench.counts()))
    chance = False
    for values in (DEFAULTS, *_choices(bench)):
        wanted = bench.merge(models, base, values)
        again = bench.merge(models, base, values)
        assert torch.equal(again, wanted), f"the same merge twice differs with {dict(values)}"
        others = {
            "seed": bench.merge(models, base, values, seed=1),
            "tensor": bench.merge(models, base, values, key="unet.conv_out.weight"),
            "name": bench.merge(models, base, values, names="wxyz"),
        }
        same = [what for what, other in others.items() if torch.equal(other, wanted)]
        # with some choices a random method leaves nothing to chance, but then nothing at all
        assert len(same) in (0, len(others)), f"another {same[0]} gives the same mask"
        chance |= not same
    assert chance >= bench.method.spec.random, "another seed gives the same mask"


def half_precision_costs_little(bench: Bench) -> None:
    """Half-precision inputs merge to what the formula gives in float64."""
    for values, count in itertools.product((DEFAULTS, bench.spread()), bench.counts()):
        halves = [noise((40, 30), seed).half() for seed in range(1, count + 1)]
        half_base = noise((40, 30), 0).half()
        wanted = _in_float64(bench, halves, half_base, values)
        merged = bench.merge(halves, half_base, values).double()
        assert _distance(merged, wanted) < 1e-5, f"far from float64 with {dict(values)}"
        rounded = bench.merge(halves, half_base, values, dtype="F16")
        _check_equal(rounded, bench.merge(halves, half_base, values).half(), values)


def no_parameter_is_dead(bench: Bench) -> None:
    """Every parameter changes something, at the defaults or with another parameter moved."""
    count = min(3, max(bench.counts()))
    base, spread = noise((40, 30), 0), bench.spread()
    # of different lengths, which some parameters are about
    models = [base + seed * noise((40, 30), seed) for seed in range(1, 1 + count)]
    params = bench.method.spec.params
    contexts: list[Values] = [DEFAULTS, spread]
    contexts += [{param.name: end} for param in params for end in ends(param)]
    for param in params:
        assert any(
            not torch.equal(
                bench.merge(models, base, {**context, param.name: value}),
                bench.merge(models, base, {**context, param.name: usual(param)}),
            )
            for context in contexts
            for value in (*alternatives(param), spread.get(param.name, param.default))
        ), f"{param.name} changes nothing"


def it_turns_with_its_models(bench: Bench) -> None:
    """If it says so: the models turned give the result turned, and factors what matrices give."""
    rotation = bench.method.spec.rotation
    if rotation is None:
        return
    counts = sorted({bench.counts()[0], bench.counts()[-1]})
    for given, count in itertools.product((*bench.corners(), bench.spread()), counts):
        values = dict(bench.values(given, count))
        if not rotation.holds(values):
            continue
        for shape in _MATRICES:
            plain, by_factors = bench.changes(_low(shape, count), shape, given)
            said = f"{count} × {list(shape)} with {dict(given)}"
            assert by_factors is not None, f"{said} is not merged by its factors"
            off = _distance(by_factors, plain)
            assert off < _ROUNDED, f"{said}: factors give what is {off:.1g} off"
        off = _off_when_turned(bench, given, count, rotation.side)
        assert off < _ROUNDED, f"{count} turned models give what is {off:.1g} off with {given}"


def _off_when_turned(bench: Bench, values: Values, count: int, side: Side) -> float:
    """How far what comes of turned models is from the turned result."""
    rows, columns = 40, 30
    left = torch.linalg.qr(noise((rows, rows), 9).double())[0]
    right = torch.linalg.qr(noise((columns, columns), 10).double())[0]
    if side == "left":
        right = torch.eye(columns).double()
    models = [noise((rows, columns), seed) for seed in range(1, count + 1)]
    turned = [(left @ model.double() @ right.T).float() for model in models]
    spaces: list[Space] = [bench.space] * count
    nothing = torch.zeros(rows, columns)
    wanted = bench.merge(models, nothing, values, spaces=spaces).double()
    found = bench.merge(turned, nothing, values, spaces=spaces)
    return _distance(found, left @ wanted @ right.T)


def slabs_leave_no_trace(bench: Bench) -> None:
    """The same bytes in slabs of any size."""
    count = min(3, max(bench.counts()))
    by_row = bench.method.spec.unit == "row" or bench.method.placed
    shape = _ROWS if by_row else _LARGE
    models, base = [noise(shape, seed) for seed in range(1, count + 1)], noise(shape, 0)
    for values in (DEFAULTS, bench.spread(), *_choices(bench)):
        wanted = bench.merge(models, base, values, slab=SLAB)
        for slab in SLABS if values is DEFAULTS else SLABS[:1]:
            merged = bench.merge(models, base, values, slab=slab)
            said = f"slabs of {slab} change the bytes with {dict(values)}"
            assert torch.equal(merged, wanted), said


def neighbours_leave_no_trace(bench: Bench) -> None:
    """The same bytes beside another tensor, as small ones are merged, and alone."""
    for values in (DEFAULTS, bench.spread(), *_choices(bench)):
        for models, base in (
            _models((6, 5), bench.counts()[0]),
            _close((3000,), bench.counts()[-1]),
        ):
            for beside, alone in bench.side_by_side(models, base, values):
                _check_equal(beside, alone, values)


def threads_leave_no_trace(bench: Bench) -> None:
    """The same bytes with 1, 2 and 4 tensors at a time."""
    count = min(3, max(bench.counts()))
    shapes = [(3000 + 17 * place,) for place in range(8)]

    def one(shape: tuple[int, ...]) -> Tensor:
        models, base = _models(shape, count)
        return bench.merge(models, base, slab=1000, key=f"unet.{shape}")

    with one_torch_thread():
        wanted = [one(shape) for shape in shapes]
        for threads in (2, 4):
            with ThreadPoolExecutor(threads) as pool:
                merged = list(pool.map(one, shapes))
            same = all(map(torch.equal, merged, wanted))
            assert same, f"{threads} threads change the bytes"


def a_kernel_leaves_no_trace(bench: Bench) -> None:
    """The same bytes from the plain body and from the compiled one, where there is one."""
    if not has_kernel(bench.method):
        return
    counts = sorted({bench.counts()[0], bench.counts()[-1]})
    for values, count in itertools.product((*bench.corners(), *bench.far_corners()), counts):
        for models, base in (_models((3000,), count), _close((3000,), count)):
            _check_bytes(bench, models, base, values)
    models, base = _close(_LARGE, counts[-1])
    for values in (DEFAULTS, bench.spread(), *_choices(bench)):
        _check_bytes(bench, models, base, values)


LAWS: Sequence[Law[Bench]] = (
    it_says_what_it_is,
    chance_comes_from_the_seed,
    it_is_finite_everywhere,
    equal_models_stay,
    it_runs_from_one_parent_to_the_other,
    a_lora_is_what_it_bakes_to,
    order_is_free_unless_it_has_a_meaning,
    half_precision_costs_little,
    no_parameter_is_dead,
    it_turns_with_its_models,
    slabs_leave_no_trace,
    neighbours_leave_no_trace,
    threads_leave_no_trace,
    a_kernel_leaves_no_trace,
)
"""In the order they are checked: later ones take earlier ones for granted."""


def _models(shape: Sequence[int], count: int) -> tuple[list[Tensor], Tensor]:
    """`count` models on the exact grid, and the base they were made of."""
    base = grid(shape, 0)
    return [base + grid(shape, seed) for seed in range(1, count + 1)], base


def _low(shape: Sequence[int], count: int) -> list[Factors]:
    """`count` matrices of different low ranks."""
    rows, columns = shape[0], math.prod(shape[1:])
    return [
        Factors(noise((rows, rank), seed), noise((rank, columns), -seed), 0.5 * seed)
        for seed, rank in zip(range(1, count + 1), (3, 5, 1, 4), strict=False)
    ]


def _close(shape: Sequence[int], count: int) -> tuple[list[Tensor], Tensor]:
    """Half-precision fine-tunes of one base, zeros of both signs among them."""
    base = noise(shape, 0).half().float()
    base[::7] = -0.0
    models = [(base + noise(shape, seed) / 16).half().float() for seed in range(1, count + 1)]
    for place, model in enumerate(models):
        model[place :: 5 + place] = base[place :: 5 + place]
    return models, base


def _check_bytes(bench: Bench, models: list[Tensor], base: Tensor, values: Values) -> None:
    plain, fast = (bench.merge(models, base, values, kernel=kernel) for kernel in (False, True))
    off = int((plain.view(torch.int32) != fast.view(torch.int32)).sum())
    assert not off, f"{off} of {plain.numel()} differ in their bits with {dict(values)}"


def _choices(bench: Bench) -> Iterator[Values]:
    for param in bench.method.spec.params:
        if param.kind in ("bool", "choice"):
            yield from ({param.name: end} for end in ends(param))


def _check_finite(bench: Bench, models: list[Tensor], base: Tensor, values: Values) -> None:
    merged = bench.merge(models, base, values)
    said = f"{len(models)} × {list(base.shape)} with {dict(values)}"
    assert merged.shape == base.shape, f"{said} has the shape {list(merged.shape)}"
    assert torch.isfinite(merged).all(), f"{said} is not finite"


def _check_equal(merged: Tensor, wanted: Tensor, values: Values) -> None:
    off = int((merged != wanted).sum())
    assert torch.equal(merged, wanted), f"{off} of {wanted.numel()} differ with {dict(values)}"


def _distance(merged: Tensor, wanted: Tensor) -> float:
    """The largest difference, relative to the largest number."""
    return float((merged - wanted).abs().amax() / wanted.abs().amax().clamp(min=1e-30))


def _in_float64(bench: Bench, models: list[Tensor], base: Tensor, values: Values) -> Tensor:
    """The method's own formula in float64: what the engine's float32 is compared with."""
    method, names = bench.method, "abcd"[: len(models)]
    from_base = base.double() if bench.space == "delta" else torch.zeros_like(base).double()
    rows = [(model.double() - from_base).reshape(-1) for model in models]
    ((_, _, shape),) = slabs(method.spec.unit, tuple(base.shape), base.numel())
    wide = {
        name: as_tensor(value, torch.float64, (-1, *[1] * len(shape)))
        for name, value in bench.values(values, len(models))
    }
    flat = {name: v.reshape(-1, 1) if isinstance(v, Tensor) else v for name, v in wide.items()}
    stat = bench.found(models, base, values, names)
    if stat is None:
        whole = Whole([_slicer(row) for row in rows], base.numel(), tuple(base.shape))
        stat = method.survey(whole, flat)
    streams = [stream_key(0, "unet.conv_in.weight", name) for name in names]
    random = Random(streams, 0, base.numel(), shape)
    place = Place(0, base.numel(), tuple(base.shape))
    merged = method.merge(torch.stack(rows).reshape(-1, *shape), stat, place, random, wide)
    return from_base + merged.reshape(base.shape)


def _slicer(row: Tensor) -> Callable[[int, int], Tensor]:
    return lambda start, stop: row[start:stop]
