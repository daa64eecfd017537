"""Sums of task vectors."""

from __future__ import annotations

from sdmerge.consensus import weighted_sum
from sdmerge.method import Delta, Deltas, method
from sdmerge.params import PerModel, Scale, Strength


@method(title="Task arithmetic", paper="https://arxiv.org/abs/2212.04089", rotation="both")
def task_arithmetic(
    deltas: Deltas,
    *,
    weight: PerModel[Strength] = 1.0,
    lambda_: Scale = 1.0,
    normalize: bool = False,
) -> Delta:
    """Add what each model learned to the base: base + λ·Σ wᵢ·(θᵢ - base).

    Ilharco et al., "Editing models with task arithmetic", 2023. A negative weight forgets a task.
    Weights that sum to zero are not normalised. Of LoRAs stored as a LoRA of no set rank it is
    exact: their factors side by side, which PEFT calls "cat" and kohya's scripts "concat".

    weight: How much of each model's difference from the base is added.
    lambda: Scale of the summed difference.
    normalize: Divide by the sum of the weights.
    """
    return lambda_ * weighted_sum(deltas, weight, normalize=normalize)
