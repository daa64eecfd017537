"""fit: the second half of a method that looks at more than one tensor.

`find(models, **parameters)` runs once per merge, before the first tensor is merged, and yields for
each key what the body then gets as its `Stat`: a tensor, or tensors by name. What it yields is
written to a file at once, so it need not fit into memory; a key may be yielded several times, with
other names. A parameter with one value per model comes as float64 [n].
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Protocol

from torch import Tensor, nn

from sdmerge.method import Whole
from sdmerge.tensors.spill import Found

__all__ = ["Found", "Models", "Probe"]


class Probe(Protocol):
    """What cannot be read from weights alone: asked of the inputs as models that run.

    `place` is an input's place. Prompts are drawn in turn until there are `samples`, each in
    `steps` denoising steps.
    """

    def networks(self) -> Mapping[str, tuple[nn.Module, Mapping[str, Any]]]:
        """By component a network and arguments to call it with, both on the meta device."""
        ...

    def activations(
        self, place: int, prompts: Sequence[str], *, samples: int, steps: int, widest: int
    ) -> Iterator[tuple[str, Tensor]]:
        """For the weight of every linear and convolution layer XᵀX [d, d], X its inputs as rows.

        Layers whose rows are longer than `widest` are passed over.
        """
        ...

    def gradients(
        self, place: int, prompts: Sequence[str], *, samples: int, steps: int
    ) -> Iterator[tuple[str, Tensor]]:
        """For every weight the mean over samples of the squared gradient of the denoising loss."""
        ...

    def score(
        self,
        weights: Mapping[str, Tensor],
        scorer: str,
        prompts: Sequence[str],
        *,
        samples: int,
        steps: int,
    ) -> float:
        """What a scorer says of the pictures that the first input draws with these weights.

        The mean over prompts, more being better, whichever way the scorer counts.
        """
        ...


class Models(Protocol):
    """The inputs of a fit, read only: tensor by tensor, as the method sees them."""

    @property
    def names(self) -> tuple[str, ...]:
        """The inputs' names, in their order."""
        ...

    @property
    def shapes(self) -> Mapping[str, tuple[int, ...]]:
        """The tensors to look at."""
        ...

    @property
    def probe(self) -> Probe:
        """What the method asked for with `probe=`."""
        ...

    def block(self, key: str) -> str:
        """The label of the block that `key` lies in; text encoders and the like have one too."""
        ...

    def whole(self, key: str) -> Whole:
        """The inputs' tensors, in pieces of any size."""
        ...

    def read(self, place: int, key: str) -> Tensor:
        """One input's tensor, float32, in its shape."""
        ...

    def base(self, key: str) -> Tensor:
        """The base's weights, or where the recipe has none the first model's."""
        ...

    def report(self, done: float) -> None:
        """Say what share of the work is done; stops here if the user wants to stop."""
        ...
