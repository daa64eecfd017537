"""LoRAs alone, merged without a base: their names and shapes tell what they are changes of."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from sdmerge.adapters import LoraFile
from sdmerge.adapters.lora.sizing import Named, Sized, sized_families
from sdmerge.adapters.lora.spelling import Dialect, Spelling
from sdmerge.adapters.nothing import Nothing
from sdmerge.errors import PlanError
from sdmerge.plan.inputs import Inputs, Member
from sdmerge.recipe import ModelRef, Stage

_HINT = "Name the checkpoint it belongs to: base_model, or --base."
_Loras = Sequence[tuple[ModelRef, LoraFile]]


def no_base(
    stage: Stage, inputs: Inputs, stages: Mapping[str, Member], dialect: Dialect
) -> Member | None:
    """The model that the stage's LoRAs fit, without values; None where it has other models.

    Of several that they fit, the first if all come to the same: the same weights in the same blocks
    under the same names of `dialect`. Else, or if they fit none together, a PlanError.
    """
    if any(ref.path in stages for ref in stage.models):
        return None
    loras: list[tuple[ModelRef, LoraFile]] = []
    for ref in stage.models:
        opened = inputs.open(ref.path, ref.where)
        if not isinstance(opened, LoraFile):
            return None
        loras.append((ref, opened))
    found = _models(loras)
    first, *others = found
    if others:
        own = _outcome(first, loras, inputs, dialect)
        if any(_outcome(other, loras, inputs, dialect) != own for other in others):
            ref = loras[0][0]
            raise PlanError(
                f"'{ref.name}' may be for {_titles(found)}", where=ref.where, hint=_HINT
            )
    rivals = tuple(other.family for other in others)
    return inputs.member("base", Nothing(first.family, first.specs, rivals), None, stage.where)


def _models(loras: _Loras) -> list[Sized]:
    """The families, each at the sizes that all LoRAs together show."""
    each = [sized_families(_named(lora)) for _, lora in loras]
    for (ref, _), found in zip(loras, each, strict=True):
        if not found:
            what = f"'{ref.name}' fits no family that is known here"
            raise PlanError(what, where=ref.where, hint=_HINT)
        if not {one.family.name for one in found} & {one.family.name for one in each[0]}:
            other = f"'{loras[0][0].name}' for {_titles(each[0])}"
            raise PlanError(f"'{ref.name}' is for {_titles(found)}, {other}", where=ref.where)
    if len(loras) == 1:
        return each[0]
    together = sized_families([module for _, lora in loras for module in _named(lora)])
    if not together:
        names = ", ".join(f"'{ref.name}'" for ref, _ in loras)
        raise PlanError(f"{names} fit no one model", where=loras[0][0].where, hint=_HINT)
    return together


def _named(lora: LoraFile) -> Named:
    return [(module.parsed, module.of_weight) for module in lora.modules]


def _titles(found: Sequence[Sized]) -> str:
    return " or ".join(one.family.title for one in found)


def _outcome(
    model: Sized, loras: _Loras, inputs: Inputs, dialect: Dialect
) -> list[dict[str, object]]:
    """What the result depends on: each LoRA's weights, their shapes, blocks and written names."""
    spelling = Spelling(model.family, model.specs, dialect)
    return [
        {
            key: (
                model.specs[key].shape,
                model.family.block(key),
                [place.module for place in spelling.places(key)],
            )
            for key in lora.bind(
                model.family, model.specs, model.single_file, partial=inputs.partial
            ).specs
        }
        for _, lora in loras
    ]


def rivals(alone: Member | None) -> list[str]:
    """A note where LoRAs alone leave open what they are for."""
    if alone is None or not isinstance(alone.source, Nothing) or not alone.source.rivals:
        return []
    titles = " or ".join(one.title for one in (alone.family, *alone.source.rivals))
    return [f"the LoRAs may be for {titles}: the result is the same"]
