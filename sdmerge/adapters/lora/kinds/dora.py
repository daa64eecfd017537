"""DoRA: the direction of V = W + ΔW and learned magnitudes, W′ = m · V / ‖V‖.

Liu et al. 2024 (https://arxiv.org/abs/2402.09353), eq. 5. Norms are those of rows (`dora_scale`
[o, 1, …], PEFT's `lora_magnitude_vector`) or those of columns (`dora_scale` [1, i, …], PEFT's of
embeddings). LyCORIS adds float32's epsilon to the norms.
"""

# torch does not type its linear algebra
# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false
# pyright: reportUnknownArgumentType=false

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor

from sdmerge.adapters.lora.kinds.edit import Edit, Shape
from sdmerge.adapters.lora.kinds.keys import Keys, read
from sdmerge.lowrank import one_thread
from sdmerge.tensors.store import TensorStore

Axis = Literal["output", "input"]
"""Whose norms the magnitudes stand for: those of rows or those of columns."""

MAGNITUDES = ("dora_scale", "lora_magnitude_vector")


@dataclass(frozen=True)
class Dora(Edit):
    """Another edit of the weight, and the key of the magnitudes that its result is brought to."""

    inner: Edit
    magnitude: str
    axis: Axis
    epsilon: float
    count: int

    @property
    def shape(self) -> Shape:
        """That of the edit within."""
        return self.inner.shape

    def fits(self, shape: Shape) -> bool:
        """Whether there is a magnitude for each row or column as well."""
        side = 0 if self.axis == "output" else 1
        return self.inner.fits(shape) and len(shape) > 1 and shape[side] == self.count

    @property
    def rowwise(self) -> bool:
        """Norms of rows do not look beyond them."""
        return self.axis == "output" and self.inner.rowwise

    def apply(self, store: TensorStore, weight: Tensor) -> Tensor:
        """V times m / ‖V‖; the norms are taken in float64, and what is zero stays zero."""
        changed = self.inner.apply(store, weight)
        side = 0 if self.axis == "output" else 1
        others = [dim for dim in range(changed.dim()) if dim != side]
        with one_thread():
            norms = torch.linalg.vector_norm(
                changed.contiguous(), dim=others, keepdim=True, dtype=torch.float64
            )
        magnitudes = read(store, self.magnitude).double().view(norms.shape)
        tiny = torch.finfo(torch.float64).tiny
        return changed * (magnitudes / (norms + self.epsilon).clamp(min=tiny)).float()


def decomposed(inner: Edit, keys: Keys) -> Dora:
    """The edit of a module's weight under the module's magnitudes."""
    part = next(part for part in MAGNITUDES if part in keys)
    shape, count = keys.shape(part), max(keys.shape(part))
    spread = [size for size in shape if size != 1]
    if len(spread) > 1:
        raise keys.corrupt(f"the magnitudes of module '{keys.name}' are {list(shape)}, no vector")
    columns = len(shape) > 1 and shape[0] == 1 and shape[1] == count
    axis: Axis = "output"
    if part == "dora_scale":
        axis = "input" if columns and count > 1 else "output"
    elif "lora_embedding_A" in keys:
        axis = "input"
    epsilon = torch.finfo(torch.float32).eps if part == "dora_scale" else 0.0
    return Dora("weight", inner.rank, inner, keys[part], axis, epsilon, count)
