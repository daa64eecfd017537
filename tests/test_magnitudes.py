"""The nearest DoRA, against its formula and least squares in float64."""

# torch does not type its linear algebra
# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false
# pyright: reportUnknownArgumentType=false

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from sdmerge.bounds import Bounds
from sdmerge.lowrank import Factors
from sdmerge.magnitudes import fit_magnitudes, nearest_direction
from sdmerge.sketch import approximate


def noise(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed))


def product(factors: Factors) -> Tensor:
    return factors.scale * factors.up.double() @ factors.down.double()


def applied(base: Tensor, direction: Factors, magnitudes: Tensor) -> Tensor:
    """m ∘ V / ‖V‖, row by row."""
    seen = base.double() + product(direction)
    return magnitudes.double()[:, None] * seen / seen.norm(dim=1, keepdim=True)


def off(base: Tensor, change: Tensor, bounds: Bounds) -> float:
    direction = nearest_direction(base, change, bounds)
    fit = fit_magnitudes(base, change, direction)
    tuned = base.double() + change.double()
    found = float((applied(base, direction, fit.magnitudes) - tuned).square().sum())
    assert fit.off == pytest.approx(found, rel=1e-6)
    return found


@pytest.mark.parametrize("rank", [1, 4, 12])
@pytest.mark.parametrize("size", [0.01, 0.3])
def test_it_is_no_further_off_than_a_lora_of_that_rank(rank: int, size: float) -> None:
    base, change = noise(40, 60), size * noise(40, 60, seed=1)
    lora = (change.double() - product(approximate(change, Bounds(rank=rank)))).square().sum()
    assert off(base, change, Bounds(rank=rank)) < float(lora)


def test_a_dora_is_found_again() -> None:
    """A change that no LoRA of its rank comes near to."""
    base = noise(40, 60)
    seen = base.double() + 0.1 * (noise(40, 3, seed=1) @ noise(3, 60, seed=2)).double()
    lengths = seen.norm(dim=1, keepdim=True) * (1 + 0.02 * noise(40, 1, seed=3).double())
    change = (lengths * seen / seen.norm(dim=1, keepdim=True) - base.double()).float()
    lora = (change.double() - product(approximate(change, Bounds(rank=3)))).square().sum()
    assert off(base, change, Bounds(rank=3)) < 0.02 * float(lora)


def test_magnitudes_are_the_least_squares() -> None:
    base, change = noise(6, 9), noise(6, 9, seed=1)
    direction = Factors(noise(6, 2, seed=2), noise(2, 9, seed=3), 0.5)
    fit = fit_magnitudes(base, change, direction)
    tuned = base.double() + change.double()
    units = applied(base, direction, torch.ones(6))
    wanted = [
        float(torch.linalg.lstsq(unit[:, None], row[:, None]).solution)
        for unit, row in zip(units, tuned, strict=True)
    ]
    assert fit.magnitudes.tolist() == pytest.approx(wanted, rel=1e-6)


def test_a_row_of_zeros_stays_one() -> None:
    base, change = noise(8, 12), 0.1 * noise(8, 12, seed=1)
    base[3], change[3] = 0, 0
    direction = nearest_direction(base, change, Bounds(rank=2))
    fit = fit_magnitudes(base, change, direction)
    assert torch.isfinite(direction.up).all()
    assert float(fit.magnitudes[3]) == pytest.approx(0, abs=1e-6)
