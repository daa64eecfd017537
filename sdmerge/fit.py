"""fit: the second half of a method that looks at more than one tensor.

`find(models, **parameters)` runs once per merge, before the first tensor is merged, and yields for
each key what the body then gets as its `Stat`: a tensor, or tensors by name. What it yields is
written to a file at once, so it need not fit into memory; a key may be yielded several times, with
other names. A parameter with one value per model comes as float64 [n].
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, Protocol

from torch import Tensor, nn

from sdmerge.album import Reference
from sdmerge.lowrank import Factors
from sdmerge.tensors.spill import Found
from sdmerge.whole import Whole

__all__ = ["Change", "Examples", "Found", "Keep", "Models", "Probe", "Said", "Training", "untold"]

Keep = Callable[[Tensor], Tensor]
"""What is kept of a layer's inputs, given as rows [n, d]; it is summed over all of them."""

Change = Factors | Tensor
"""A difference from a base's weight: as it was factored [o, i·k·k], or in the weight's shape."""

Said = Callable[[float, Mapping[str, float]], None]
"""Takes the share of the work that is done, and numbers that tell how it goes."""


def untold(done: float, numbers: Mapping[str, float]) -> None:
    """Nobody asks how it goes."""


@dataclass(frozen=True, slots=True)
class Training:
    """How column mergers are trained (see methods/ziplora.py); `weights` are one per model."""

    weights: Sequence[float]
    updates: int
    batch: int
    rate: float
    similarity: Literal["cosine", "product"]
    similarity_weight: float
    samples: int
    steps: int


@dataclass(frozen=True, slots=True)
class Examples:
    """What a model is for: prompts, and pictures of it where there are any to learn from."""

    prompts: Sequence[str]
    references: Sequence[Reference] = ()


class Probe(Protocol):
    """What cannot be read from weights alone: asked of the inputs as models that run.

    `place` is an input's place. Prompts are drawn in turn until there are `samples`, each in
    `steps` denoising steps.
    """

    def networks(self) -> Mapping[str, tuple[nn.Module, Mapping[str, Any]]]:
        """By component a network and arguments to call it with, both on the meta device."""
        ...

    def activations(
        self, place: int, prompts: Sequence[str], keep: Mapping[str, Keep], *,
        samples: int, steps: int,
    ) -> Iterator[tuple[str, Tensor]]:  # fmt: skip
        """For every weight in `keep` that a linear or convolution layer has: the sum, in float64,
        of what is kept of the inputs that the layer sees.

        A convolution's input is as many rows as its output has pixels, each as long as a filter.
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

    def mergers(
        self, changes: Mapping[str, Sequence[Change | None]], shown: Mapping[str, Examples],
        training: Training, said: Said,
    ) -> Iterator[tuple[str, Mapping[int, Tensor]]]:  # fmt: skip
        """Column mergers as ZipLoRA trains them: by weight, and by place for those that change it,
        a number per input channel of a linear or convolution layer.

        `changes` are the inputs' differences from the base by weight, `shown` is what each input is
        for by its name, in order. What is no such layer's weight is added whole.
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

    def change(self, place: int, key: str) -> Change | None:
        """One input's difference from the base; None if there is none."""
        ...

    def base(self, key: str) -> Tensor:
        """The base's weights, or where the recipe has none the first model's."""
        ...

    def pictures(self, address: str) -> Sequence[Reference]:
        """What is behind one value of a `Pictures` parameter; of "" nothing."""
        ...

    def report(self, done: float, numbers: Mapping[str, float] | None = None) -> None:
        """Say what share of the work is done; stops here if the user wants to stop.

        `numbers` tell how it goes, and are kept with what is found.
        """
        ...
