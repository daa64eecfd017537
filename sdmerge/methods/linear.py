"""Averages of weights."""

from __future__ import annotations

from sdmerge.consensus import weighted_sum
from sdmerge.method import Weight, Weights, method
from sdmerge.params import PerModel, Strength


@method(title="Linear (model soup)", paper="https://arxiv.org/abs/2203.05482", rotation="both")
def linear(weights: Weights, *, weight: PerModel[Strength] = 1.0, normalize: bool = True) -> Weight:
    """Average the models: Σ wᵢ·θᵢ / Σ wᵢ.

    Wortsman et al., "Model soups", 2022 (uniform soup: equal weights). Weights that sum to zero
    cannot be normalised; then the plain sum Σ wᵢ·θᵢ is taken.

    weight: How much each model counts.
    normalize: Divide by the sum of the weights, so that only their ratios matter.
    """
    return weighted_sum(weights, weight, normalize=normalize)
