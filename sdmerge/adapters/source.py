"""Source: the common tensor interface. Whatever a file is, merging sees it as this."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Literal, Protocol

from torch import Tensor

from sdmerge.families.family import Family
from sdmerge.tensors.spec import TensorSpec

Space = Literal["weight", "delta"]
"""A checkpoint's tensors, or what is to be added to a base's."""


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
        """What the tensors are: weights, or changes of weights."""
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
        """Dtype and shape by canonical key; of a delta only the keys it changes, as "F32"."""
        ...

    @property
    def metadata(self) -> Mapping[str, str]:
        """What the file says about itself."""
        ...

    def read(self, key: str, start: int = 0, stop: int | None = None) -> Tensor:
        """The elements [start, stop), flat, in the stored dtype (weight) or float32 (delta)."""
        ...
