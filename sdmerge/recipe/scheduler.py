"""What a recipe may set in the config of its result's scheduler: `scheduler: {set: {…}}`.

Few-step models need another spacing of their steps than the models they were distilled from.
"""

from __future__ import annotations

from sdmerge.params import Param, Scalar, find_param
from sdmerge.recipe.nodes import Node
from sdmerge.recipe.values import read_scalar

_SPACINGS = ("leading", "linspace", "trailing")
_PREDICTIONS = ("epsilon", "v_prediction", "sample")

SCHEDULER: tuple[Param, ...] = (
    Param("timestep_spacing", "choice", "leading", "Where the steps lie.", choices=_SPACINGS),
    Param("prediction_type", "choice", "epsilon", "What the UNet predicts.", choices=_PREDICTIONS),
    Param("rescale_betas_zero_snr", "bool", False, "Start from pure noise."),
    Param("use_karras_sigmas", "bool", False, "Noise levels as Karras et al. space them."),
)
"""Named and meant as in diffusers' scheduler_config.json."""


def read_scheduler(node: Node) -> dict[str, Scalar]:
    """The settings under `set`."""
    fields = node.mapping("a scheduler's 'set'", (param.name for param in SCHEDULER))
    if not fields:
        raise node.error(
            "the scheduler's 'set' says nothing", "Write for example {timestep_spacing: trailing}."
        )
    return {
        name: read_scalar(child, find_param("scheduler", SCHEDULER, name))
        for name, child in fields.items()
    }
