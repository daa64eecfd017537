"""The laws hold for our methods, and are broken by methods made to break them."""

from __future__ import annotations

import threading
from dataclasses import replace
from typing import Annotated, Any

import pytest
import torch
from torch import Tensor

from sdmerge.errors import MethodError
from sdmerge.manifest import Rotation, manifest
from sdmerge.method import (
    Delta,
    Deltas,
    Masks,
    Method,
    Registry,
    Weight,
    Weights,
    method,
    total,
)
from sdmerge.params import Blend, Fraction, PerModel, Range, Strength
from sdmerge.testing import check_method


@pytest.mark.parametrize("name", sorted(manifest()))
def test_our_methods_hold_to_the_laws(name: str) -> None:
    check_method(name)


def test_a_name_that_no_method_has() -> None:
    with pytest.raises(MethodError, match="there is no method 'tie'"):
        check_method("tie")


BROKEN = Registry()


def broken(law: str, **options: Any) -> Any:
    """Register a method that breaks `law`, which is remembered in its title."""
    given = {"title": law, "paper": "https://example.org", "registry": BROKEN, **options}
    return method(**given)


@broken("it_says_what_it_is", paper="a talk")
def without_source(weights: Weights) -> Weight:
    """The first model."""
    return weights[0]


@broken("it_is_finite_everywhere")
def divides_by_density(deltas: Deltas, *, density: PerModel[Fraction] = 0.5) -> Delta:
    """A rescaled sum.

    density: What it is divided by.
    """
    return total(deltas / torch.as_tensor(density))


@broken("it_is_finite_everywhere")
def reaches_no_number(deltas: Deltas) -> Delta:
    """Each entry as a share of the largest, which may be zero."""
    return deltas[0] / deltas[0].abs().max()


@broken("it_is_finite_everywhere", unit="tensor")
def needs_a_second_dimension(deltas: Deltas) -> Delta:
    """The first delta without the means of its rows."""
    return deltas[0] - deltas[0].mean(dim=1, keepdim=True)


@broken("chance_comes_from_the_seed")
def forgets_the_shape(weights: Weights) -> Weight:
    """One number for all."""
    return weights.mean()


@broken("equal_models_stay")
def adds(weights: Weights) -> Weight:
    """A plain sum, which is no average."""
    return total(weights)


@broken("equal_models_stay")
def moves_what_nobody_moved(deltas: Deltas) -> Delta:
    """A sum and a little more."""
    return total(deltas) + 0.001


@broken("it_runs_from_one_parent_to_the_other")
def overshoots(a: Weight, b: Weight, *, t: Blend = 0.5) -> Weight:
    """Beyond B.

    t: How far.
    """
    return a + 1.1 * t * (b - a)


@broken("order_is_free_unless_it_has_a_meaning")
def prefers_the_first(weights: Weights) -> Weight:
    """A mean that leans to one side."""
    share = 1 / 2 ** torch.arange(1.0, len(weights) + 1)
    return total(weights * (share / share.sum()).reshape(-1, 1))


@broken("chance_comes_from_the_seed")
def draws_from_the_global_generator(deltas: Deltas) -> Delta:
    """A sum with holes."""
    return total(deltas) * (torch.rand(deltas.shape[1:]) < 0.5)


@broken("chance_comes_from_the_seed")
def asks_for_masks_and_ignores_them(deltas: Deltas, random: Masks) -> Delta:
    """A sum."""
    del random
    return total(deltas)


@broken("half_precision_costs_little")
def loses_digits(deltas: Deltas) -> Delta:
    """A sum by way of larger numbers."""
    return (total(deltas) + 1e4) - 1e4


@broken("no_parameter_is_dead")
def has_a_dead_knob(weights: Weights, *, weight: PerModel[Strength] = 1.0) -> Weight:
    """A mean that does not listen.

    weight: Nothing.
    """
    del weight
    return total(weights) / len(weights)


@broken("it_turns_with_its_models", rotation="both")
def looks_at_signs(deltas: Deltas) -> Delta:
    """The sum of what is positive."""
    return total(deltas.clamp(min=0.0))


@broken("it_turns_with_its_models", rotation="both", unit="tensor")
def turns_on_one_side(deltas: Deltas) -> Delta:
    """A sum with its first column doubled: turned from the left it is the turned sum."""
    summed = total(deltas)
    if summed.ndim > 1:
        summed.reshape(len(summed), -1)[:, :1] *= 2
    return summed


@broken("it_turns_with_its_models", rotation="both", unit="tensor")
def counts_zeros(deltas: Deltas) -> Delta:
    """A sum over the root of its number of entries, and zeros count as such."""
    summed = total(deltas)
    return summed / max(summed.numel(), 1) ** 0.5


@broken("slabs_leave_no_trace")
def looks_at_its_slab(deltas: Deltas) -> Delta:
    """A sum that depends on the largest entry it happens to see."""
    summed = total(deltas)
    return torch.where(summed.abs() >= summed.abs().max(), 1.5 * summed, summed)


@broken("slabs_leave_no_trace", unit="row")
def looks_at_other_rows(deltas: Deltas) -> Delta:
    """A sum less the mean over whatever rows it happens to see."""
    summed = total(deltas)
    return summed - summed.mean(dim=0)


@broken("threads_leave_no_trace")
def knows_its_thread(deltas: Deltas) -> Delta:
    """A sum that is doubled away from the main thread."""
    return total(deltas) * (1 + (threading.current_thread() is not threading.main_thread()))


@pytest.mark.parametrize("name", list(BROKEN))
def test_broken_methods_are_found_out(name: str) -> None:
    law = BROKEN[name].spec.title
    with pytest.raises(AssertionError, match=f"^{name} breaks {law}: "):
        check_method(BROKEN[name])


def test_what_turns_on_one_side_may_say_so() -> None:
    good = BROKEN["turns_on_one_side"]
    check_method(replace(good, spec=replace(good.spec, rotation=Rotation("left"))))


def test_every_law_is_broken_by_something() -> None:
    from sdmerge.testing.method_laws import LAWS

    # a body never learns how its inputs were given: that law is the engine's to break;
    # a kernel belongs to a name, and tests/test_kernels.py has one that breaks its law;
    # a body that looks at its neighbours looks beyond its slab, which an earlier law forbids
    untried = {
        "a_lora_is_what_it_bakes_to", "a_kernel_leaves_no_trace", "neighbours_leave_no_trace"
    }  # fmt: skip
    assert {BROKEN[name].spec.title for name in BROKEN} == {law.__name__ for law in LAWS} - untried


GOOD = Registry()
Small = Annotated[int, Range(1, 3)]


@method(title="Median", paper="https://example.org", unit="tensor", registry=GOOD)
def row_median(
    weights: Weights, random: Masks, *, keep: Fraction = 0.5, power: Small = 1
) -> Weight:
    """A whole-tensor method: the mean of all where the mask says so, elsewhere their median.

    keep: Share of entries that are averaged.
    power: How often the mask is asked for.
    """
    chosen = random.keep(keep**power)
    assert chosen.shape == weights.shape
    middle = weights.sort(dim=0).values[(len(weights) - 1) // 2]
    return torch.where(_any(chosen), total(weights) / len(weights), middle)


def _any(chosen: Tensor) -> Tensor:
    return chosen.any(dim=0)


def test_methods_on_whole_tensors_hold_too() -> None:
    good: Method = GOOD["row_median"]
    assert good.spec.random
    check_method(good)
