"""Nothing: a model of zeros, for changes that need a model's names and sizes but not its values."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from sdmerge.adapters.source import Space
from sdmerge.families.family import Family
from sdmerge.tensors.filling import Filler
from sdmerge.tensors.spec import TensorSpec


@dataclass(frozen=True, slots=True)
class Nothing:
    """A family's tensors, all zero: as weights, changes stand for themselves beside it.

    `rivals` are families that it might be as well, for all that is known.
    """

    family: Family
    specs: Mapping[str, TensorSpec]
    rivals: tuple[Family, ...] = ()

    @property
    def path(self) -> Path | None:
        """It lies nowhere."""
        return None

    @property
    def files(self) -> tuple[Path, ...]:
        """No content depends on a file."""
        return ()

    @property
    def space(self) -> Space:
        """Zero weights."""
        return "weight"

    @property
    def layout(self) -> str:
        """No file names them."""
        return ""

    @property
    def metadata(self) -> Mapping[str, str]:
        """It says nothing."""
        return {}

    def read(self, key: str, start: int = 0, stop: int | None = None) -> Tensor:
        """Zeros."""
        return torch.zeros((self.specs[key].numel if stop is None else stop) - start)

    def filler(self, name: str) -> Filler | None:  # noqa: ARG002
        """Puts zeros anywhere."""
        return Filler(_zeros, torch.float32)


def _zeros(out: Tensor, start: int) -> None:  # noqa: ARG001
    out.zero_()
