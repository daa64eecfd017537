"""What two models learned alike, or differently."""

from __future__ import annotations

from typing import Annotated

import torch

from sdmerge.method import Delta, method
from sdmerge.params import Fraction, Range
from sdmerge.rows import cosines, row_gram


@method(
    title="Extract (dis)similar features",
    paper="https://github.com/hako-mikan/sd-webui-supermerger/blob/main/calcmode_en.md",
    unit="row",
)
def extract(
    a: Delta, b: Delta, *, alpha: Fraction = 0.5, beta: Fraction = 0.0,
    gamma: Annotated[float, Range(0.0, 2.0, limits=(0.0, 20.0))] = 0.3,
) -> Delta:  # fmt: skip
    """Keep of two differences what points the same way, or what does not, row by row.

    SuperMerger's extract: ((1-α)·τ_A + α·τ_B)·((1-β)·d + β·(1-d)) with d = ((1 + cos)/2)^γ. The
    cosine is that of two rows, a row being all that makes one output; SuperMerger takes it over the
    last dimension, which in a 3×3 convolution is three numbers and in a 1×1 convolution one. A row
    that one of the two left alone has the cosine 0.

    alpha: Whose features are kept; 0 is A's, 1 is B's.
    beta: What is kept; 0 is what is similar, 1 what is not.
    gamma: How the similarity is graded; above 1 only very similar rows count as such.
    """
    cosine = cosines(row_gram(torch.stack([a, b])))[0, 1]
    similar = ((1.0 + cosine) / 2.0) ** gamma
    share = (1.0 - beta) * similar + beta * (1.0 - similar)
    mixed = (1.0 - alpha) * a + alpha * b
    return torch.as_tensor(share, dtype=a.dtype).reshape(-1, 1) * mixed
