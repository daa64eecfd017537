"""Keys: the tensors of one module of a file by their part, and what is said about them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from torch import Tensor

from sdmerge.adapters.lora.names import ModuleName
from sdmerge.adapters.lora.scaling import Scaling
from sdmerge.errors import CorruptFile
from sdmerge.tensors.spec import TensorSpec
from sdmerge.tensors.store import TensorStore


@dataclass(frozen=True, slots=True)
class Keys:
    """A module's keys by part: "down", "up", "alpha", "hada_w1_a", …"""

    name: str
    parsed: ModuleName
    by_part: Mapping[str, str]
    store: TensorStore
    scaling: Scaling

    def __contains__(self, part: str) -> bool:
        return part in self.by_part

    def __getitem__(self, part: str) -> str:
        return self.by_part[part]

    def shape(self, part: str) -> tuple[int, ...]:
        """The shape of a part; one without real numbers is a CorruptFile."""
        spec = self._spec(part)
        if not spec.is_float:
            what = f"module '{self.name}' holds no real numbers: {part} {spec.dtype}"
            raise self.corrupt(what)
        if spec.numel == 0:
            raise self.corrupt(f"the {part} of module '{self.name}' is empty: {list(spec.shape)}")
        return spec.shape

    def kernel(self, part: str) -> tuple[int, int, *tuple[int, ...]]:
        """The shape of a part that is a matrix or a kernel."""
        first, *rest = self.shape(part) or (1,)
        if not rest:
            shape = list(self._spec(part).shape)
            raise self.corrupt(f"the {part} factor of module '{self.name}' is no matrix: {shape}")
        return first, rest[0], *rest[1:]

    def matrix(self, part: str) -> tuple[int, int]:
        """The shape of a part that is a matrix or a 1×1 convolution."""
        first, second, *rest = self.kernel(part)
        if any(size != 1 for size in rest):
            raise self.differ()
        return first, second

    def require(self, *parts: str) -> None:
        """Nothing if all parts are there, else a CorruptFile that names what is and what is not."""
        for part in parts:
            if part not in self:
                there = next(iter(self.by_part.values()))
                what = f"module '{self.name}' has the tensor '{there}' and no {part} factor"
                raise self.corrupt(what, "The file may be cut short.")

    def agree(self, *sizes: int) -> None:
        """Nothing if all sizes are one, else the error of ranks that differ."""
        if len(set(sizes)) > 1:
            raise self.differ()

    def differ(self) -> CorruptFile:
        """An error about factors that cannot be multiplied."""
        shapes = ", ".join(
            f"{part} {list(self._spec(part).shape)}" for part in self.by_part if part != "alpha"
        )
        return self.corrupt(f"the ranks of module '{self.name}' differ: {shapes}")

    def alpha(self) -> float | None:
        """The module's own alpha, read now; None without one."""
        if "alpha" not in self:
            return None
        if self._spec("alpha").numel != 1:
            what = f"'{self['alpha']}' is not one number but {list(self._spec('alpha').shape)}"
            raise self.corrupt(what)
        return float(self.store.read(self["alpha"]))

    def scale(self, rank: int | None) -> float:
        """What a product of this rank is multiplied by; None: a kind that has no rank here."""
        return self.scaling.scale(self.parsed, rank, self.alpha())

    def corrupt(self, what: str, hint: str = "") -> CorruptFile:
        """An error about the file."""
        return CorruptFile(what, where=str(self.store.path), hint=hint)

    def _spec(self, part: str) -> TensorSpec:
        return self.store.specs[self.by_part[part]]


def read(store: TensorStore, key: str, *shape: int) -> Tensor:
    """A tensor of the file, float32; in its own shape without another."""
    return store.read(key).float().view(shape or store.specs[key].shape)
