"""Source: the common tensor interface. Whatever a file is, merging sees it as this."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Literal, Protocol, runtime_checkable

from torch import Tensor

from sdmerge.families.family import Family
from sdmerge.tensors.spec import TensorSpec

Space = Literal["weight", "delta", "operator"]
"""A checkpoint's tensors, what is to be added to a base's, or what is done with a base's."""


class Source(Protocol):
    """Canonical tensors: their specs at once, their elements when asked for."""

    @property
    def path(self) -> Path | None:
        """What was opened; None for tensors in memory."""
        ...

    @property
    def files(self) -> tuple[Path, ...]:
        """Every file whose content the tensors depend on."""
        ...

    @property
    def space(self) -> Space:
        """What the tensors are: weights, changes of weights, or operators (see Operator)."""
        ...

    @property
    def family(self) -> Family:
        """What the tensors are a model of, or a change of."""
        ...

    @property
    def layout(self) -> str:
        """How the file names them."""
        ...

    @property
    def specs(self) -> Mapping[str, TensorSpec]:
        """Dtype and shape by canonical key; else only the keys that change, as "F32"."""
        ...

    @property
    def metadata(self) -> Mapping[str, str]:
        """What the file says about itself."""
        ...

    def read(self, key: str, start: int = 0, stop: int | None = None) -> Tensor:
        """The elements [start, stop), flat, in the stored dtype (weight) or float32 (delta)."""
        ...


@runtime_checkable
class Operator(Protocol):
    """A source that can act on weights: every LoRA, and the only way for one of operators."""

    def apply(self, key: str, weight: Tensor) -> Tensor:
        """The weight as it becomes; both float32 and of one shape."""
        ...
