"""The sums of A, B and C that web interfaces name by their sliders alpha and beta."""

from __future__ import annotations

from typing import Annotated

from sdmerge.method import Weight, method
from sdmerge.params import AToB, Range

_SUMS = "https://github.com/hako-mikan/sd-webui-supermerger#merge-mode"

Alpha = Annotated[float, Range(0.0, 1.0, limits=(-1.0, 2.0))]


@method(title="Weighted sum", paper=_SUMS, rotation="both")
def weighted_sum(a: Weight, b: Weight, *, alpha: Annotated[Alpha, AToB()] = 0.5) -> Weight:
    """Mix two models: (1-α)·A + α·B.

    A is base_model if the recipe has one. `linear` does the same with a weight for each of any
    number of models. Below 0 the sum leads away from B: sd-meh's weighted_subtraction of α and β is
    the alpha -αβ/(1-αβ) here.

    alpha: B's share; 0 is A, 1 is B.
    """
    return (1 - alpha) * a + alpha * b


@method(title="Sum twice", paper=_SUMS, rotation="both")
def sum_twice(a: Weight, b: Weight, c: Weight, *, alpha: Alpha = 0.5, beta: Alpha = 0.25) -> Weight:
    """Mix two models, then the result with a third: (1-β)·((1-α)·A + α·B) + β·C.

    A is base_model if the recipe has one.

    alpha: B's share of the first sum.
    beta: C's share of the second.
    """
    return (1 - beta) * ((1 - alpha) * a + alpha * b) + beta * c


@method(title="Triple sum", paper=_SUMS, rotation="both")
def triple_sum(
    a: Weight, b: Weight, c: Weight, *, alpha: Alpha = 0.5, beta: Alpha = 0.25
) -> Weight:
    """Mix three models at once: (1-α-β)·A + α·B + β·C.

    A is base_model if the recipe has one; it has what the other two leave.

    alpha: B's share.
    beta: C's share.
    """
    return (1 - alpha - beta) * a + alpha * b + beta * c
