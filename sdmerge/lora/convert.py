"""Convert: the same LoRA in another dialect; nothing is multiplied where names map one to one."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from sdmerge.adapters import LoraFile, MappedSource
from sdmerge.adapters.lora.binding import some
from sdmerge.adapters.lora.learned import Learned, read_learned
from sdmerge.adapters.lora.sizing import sized_families
from sdmerge.adapters.lora.spelling import Dialect
from sdmerge.adapters.lora.targets import Targets
from sdmerge.adapters.lora.writing import Encoded, encode
from sdmerge.errors import FamilyError
from sdmerge.families import Family, KeyMap, single_file_map
from sdmerge.tensors.spec import TensorSpec


@dataclass(frozen=True, slots=True)
class Model:
    """What a LoRA is for: a family, its canonical tensors, and how they make a single file."""

    family: Family
    specs: Mapping[str, TensorSpec]
    single_file: KeyMap

    @classmethod
    def of(cls, base: MappedSource) -> Model:
        """The model a checkpoint is."""
        return cls(base.family, base.specs, single_file_map(base.family, base.specs))


@dataclass(frozen=True, slots=True)
class Converted:
    """A LoRA in another dialect, for which family, and what is not in it, each with a reason."""

    encoded: Encoded
    family: Family
    left_out: Mapping[str, str]


def convert(
    lora: LoraFile,
    dialect: Dialect,
    *,
    base: MappedSource | None = None,
    dtype: str | None = None,
    partial: bool = False,
) -> Converted:
    """`lora` in a dialect, in memory.

    base: A checkpoint it is for; without one the names and shapes must tell.
    dtype: What factors are stored in ("F16"); as they are if not given.
    partial: Leave out modules that the model has not or the dialect cannot hold; else these are a
        FamilyError.
    """
    models = [Model.of(base)] if base else models_of(lora)
    first, *others = [_converted(lora, one, dialect, dtype, partial=partial) for one in models]
    for other in others:
        if other.encoded.tensors.keys() != first.encoded.tensors.keys():
            titles = " or ".join(model.family.title for model in models)
            what = f"may be for {titles}, which {dialect} names differently"
            raise FamilyError(what, where=str(lora.path), hint="Say which with --base MODEL.")
    return first


def models_of(lora: LoraFile) -> list[Model]:
    """The models a LoRA may be for, by its names and shapes; several if these do not tell."""
    sized = sized_families([(module.parsed, module.of_weight) for module in lora.every_module])
    if not sized:
        names = some(module.name for module in lora.every_module)
        what = f"is for no family that is known here; its modules are {names}"
        raise FamilyError(what, where=str(lora.path), hint="Say what it is for with --base MODEL.")
    return [Model(one.family, one.specs, one.single_file) for one in sized]


def _converted(
    lora: LoraFile, model: Model, dialect: Dialect, dtype: str | None, *, partial: bool
) -> Converted:
    targets = Targets(model.family, model.specs, model.single_file)
    learned = read_learned(lora, targets, model.specs)
    if learned.lost and not partial:
        raise _unplaced(lora, learned, model.family)
    encoded = encode(
        learned.parts, model.family, model.specs, dialect, dtype=dtype, partial=partial
    )
    return Converted(encoded, model.family, {**learned.lost, **encoded.left_out})


def _unplaced(lora: LoraFile, learned: Learned, family: Family) -> FamilyError:
    shown = some(f"{name} ({why})" for name, why in learned.lost.items())
    count = len(lora.every_module)
    what = f"{len(learned.lost)} of {count} modules have no place in {family.title}: {shown}"
    hint = "Name the model it is for with --base, or leave them out with --partial."
    return FamilyError(what, where=str(lora.path), hint=hint)
