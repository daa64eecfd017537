"""What one model learned, added to another."""

from __future__ import annotations

from sdmerge.method import Delta, method
from sdmerge.params import Scale


@method(
    title="Add difference",
    paper="https://github.com/AUTOMATIC1111/stable-diffusion-webui/wiki/Features",
    rotation="both",
)
def add_difference(a: Delta, b: Delta, *, alpha: Scale = 1.0) -> Delta:
    """Add to A what B learned over the base: A + α·(B - base).

    The webuis' A + (B - C)·M, with C as base_model. It transfers a skill to a model that was
    trained from the same base: an inpainting model's, a style's, or that of a chat model as in
    Huang et al., "Chat Vector", 2023 (arXiv 2310.04799).

    alpha: How much of B's difference is added; a negative one takes it away.
    """
    return a + alpha * b
