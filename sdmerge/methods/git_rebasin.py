"""Git Re-Basin: align the models' channels before averaging them."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import torch
from torch import Tensor

from sdmerge.consensus import weighted_sum
from sdmerge.errors import PlanError
from sdmerge.fit import Found, Models
from sdmerge.method import Fitting, Stat, Weight, Weights, method
from sdmerge.params import PerModel, Strength
from sdmerge.symmetry import Layout, align, axis_index, layout_of, trace

SWEEPS = 100
"""A bound that no model is known to reach: sweeps end when one changes nothing."""


def alignment(models: Models) -> Iterator[Found]:
    """Per input and axis the order of channels that makes it most like the base."""
    networks = models.probe.networks()
    for number, (component, (module, inputs)) in enumerate(networks.items()):
        traced, variables = layout_of(trace(module, inputs))
        layout = {f"{component}.{name}": axes for name, axes in traced.items()}
        if not set(layout) & set(models.shapes):
            continue
        _refuse_part(layout, models, component)
        for place in range(len(models.names)):
            for var in variables:
                var.reset()
            start = number + place / len(models.names)
            align(
                models.base, lambda key, place=place: models.read(place, key), layout, variables,
                sweeps=SWEEPS, report=lambda done: models.report(start / len(networks)),  # noqa: B023
            )  # fmt: skip
            for key, axes in layout.items():
                found = {
                    f"{place}.{axis}": index
                    for axis, parts in enumerate(axes)
                    if parts
                    and not np.array_equal(index := axis_index(parts), np.arange(len(index)))
                }
                yield key, {name: torch.from_numpy(index) for name, index in found.items()}  # pyright: ignore[reportUnknownMemberType]


def _refuse_part(layout: Layout, models: Models, component: str) -> None:
    """Channels go through the whole network: a part of it cannot be aligned by itself."""
    lacking = [key for key, axes in layout.items() if any(axes) and key not in models.shapes]
    if lacking:
        what = f"git_rebasin needs the whole {component}; it is not given {lacking[0]}"
        raise PlanError(what, hint="Merge all of the component with git_rebasin.")


@method(
    title="Git Re-Basin", paper="https://arxiv.org/abs/2209.04836", unit="tensor",
    fit=Fitting(alignment, probe="modules"),
)  # fmt: skip
def git_rebasin(
    weights: Weights, orders: Stat, *, weight: PerModel[Strength] = 1.0, normalize: bool = True
) -> Weight:
    """Permute each model's channels to match the base's, then average: Σ wᵢ·P(θᵢ) / Σ wᵢ.

    Ainsworth et al., "Git Re-Basin", 2023, §3.2 (weight matching). Models are aligned to
    base_model, without one to the first. What may be permuted is read from the networks as they
    run: channels along skip connections, within the groups of their norms (groups of one norm as
    wholes), whole attention heads and the channels in them, feed-forward channels with their gates.
    The main network is aligned; other components are averaged as they are.

    weight: How much each model counts.
    normalize: Divide by the sum of the weights, so that only their ratios matter.
    """
    aligned = [_reordered(model, place, orders) for place, model in enumerate(weights)]
    return weighted_sum(torch.stack(aligned), weight, normalize=normalize)


def _reordered(model: Tensor, place: int, orders: dict[str, Tensor]) -> Tensor:
    for axis in range(model.dim()):
        if (order := orders.get(f"{place}.{axis}")) is not None:
            model = model.index_select(axis, order)
    return model
