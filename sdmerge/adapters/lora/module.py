"""The modules of a LoRA file, put together from its keys: pairs of factors with their scales."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from sdmerge.adapters.lora.names import ModuleName, Role, split_key, split_module
from sdmerge.adapters.lora.scaling import Scaling
from sdmerge.errors import CorruptFile
from sdmerge.lowrank import Factors
from sdmerge.tensors.spec import TensorSpec
from sdmerge.tensors.store import TensorStore

_PARTNERS: tuple[tuple[Role, Role], ...] = (("up", "down"), ("down", "up"), ("alpha", "up"))


@dataclass(frozen=True, slots=True)
class LoraModule:
    """One module's factors: where they lie in the file, and what their product is scaled by."""

    name: str
    parsed: ModuleName
    up: str
    down: str
    shape: tuple[int, ...]  # of the weight it changes: (o, i) or (o, i, k, k)
    rank: int
    alpha: float | None
    scale: float

    def factors(self, store: TensorStore) -> Factors:
        """Both factors as float32 matrices, read now."""
        up = store.read(self.up).float().view(-1, self.rank)
        return Factors(up, store.read(self.down).float().view(self.rank, -1), self.scale)


@dataclass(frozen=True, slots=True)
class Contents:
    """A file's keys in order: LoRA modules, modules of other kinds, and keys of no adapter."""

    modules: tuple[LoraModule, ...]
    other: Mapping[str, str]  # module → kind
    strange: tuple[str, ...]


@dataclass(slots=True)
class _Keys:
    roles: dict[Role, str] = field(default_factory=dict["Role", str])
    kinds: list[str] = field(default_factory=list[str])


def contents(store: TensorStore, scaling: Scaling) -> Contents:
    """What a file holds; factors without a partner or of different ranks are a CorruptFile."""
    grouped, unknown = dict[str, _Keys](), list[str]()
    for key in store.specs:
        slot = split_key(key)
        if slot is None:
            unknown.append(key)
            continue
        keys = grouped.setdefault(slot.module, _Keys())
        if slot.role == "other":
            if slot.kind not in keys.kinds:
                keys.kinds.append(slot.kind)
        elif (first := keys.roles.setdefault(slot.role, key)) != key:
            what = f"'{first}' and '{key}' are both the {slot.role} of one module"
            raise CorruptFile(what, where=str(store.path), hint="It may hold two adapters.")
    other = {name: " + ".join(keys.kinds) for name, keys in grouped.items() if keys.kinds}
    modules = tuple(
        _module(name, keys.roles, store, scaling)
        for name, keys in grouped.items()
        if not keys.kinds
    )
    # (IA)³ has its vector under a plain "weight" beside keys that are its own
    strange = tuple(key for key in unknown if key.rpartition(".")[0] not in other)
    return Contents(modules, other, strange)


def _module(
    name: str, keys: Mapping[Role, str], store: TensorStore, scaling: Scaling
) -> LoraModule:
    for role, partner in _PARTNERS:
        if role in keys and partner not in keys:
            what = f"module '{name}' has the tensor '{keys[role]}' and no {partner} factor"
            raise CorruptFile(what, where=str(store.path), hint="The file may be cut short.")
    up, down = store.specs[keys["up"]], store.specs[keys["down"]]
    _check_factors(name, up, down, str(store.path))
    alpha = _alpha(keys["alpha"], store) if "alpha" in keys else None
    parsed, rank = split_module(name), down.shape[0]
    return LoraModule(
        name=name,
        parsed=parsed,
        up=keys["up"],
        down=keys["down"],
        shape=(up.shape[0], *down.shape[1:]),
        rank=rank,
        alpha=alpha,
        scale=scaling.scale(parsed, rank, alpha),
    )


def _check_factors(name: str, up: TensorSpec, down: TensorSpec, where: str) -> None:
    shapes = f"up {list(up.shape)}, down {list(down.shape)}"
    if not up.is_float or not down.is_float:
        what = f"module '{name}' holds no real numbers: up {up.dtype}, down {down.dtype}"
        raise CorruptFile(what, where=where)
    if len(up.shape) < 2 or len(down.shape) < 2 or up.numel == 0 or down.numel == 0:
        raise CorruptFile(
            f"module '{name}' has factors that are no matrices: {shapes}", where=where
        )
    if up.shape[1] != down.shape[0] or any(size != 1 for size in up.shape[2:]):
        raise CorruptFile(f"the ranks of module '{name}' differ: {shapes}", where=where)


def _alpha(key: str, store: TensorStore) -> float:
    if store.specs[key].numel != 1:
        what = f"'{key}' is not one number but {list(store.specs[key].shape)}"
        raise CorruptFile(what, where=str(store.path))
    return float(store.read(key))
