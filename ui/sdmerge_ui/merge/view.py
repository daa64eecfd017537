"""View: what the elements of the workbench show of a draft."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import PurePath
from typing import Any

from sdmerge_ui import controls, edits
from sdmerge_ui.library import (
    LORA,
    PRESETS,
    InputError,
    MethodSpec,
    Param,
    Range,
    manifest,
    row,
)
from sdmerge_ui.place import Place
from sdmerge_ui.texts import Words

Value = dict[str, Any]
DTYPES = ("", "float16", "bfloat16", "float32")
LAYOUTS = ("", "single-file", "diffusers", "lora")
_SEED = Param("seed", "int", 0, "", Range(0, 100, step=1, limits=(0, 2**32)))


class View:
    """The last stage of a draft, for people."""

    def __init__(self, place: Place, words: Words, text: str) -> None:
        self._place, self._words = place, words
        self.stage = edits.stage_of(text)
        self.models = [one for one in self.stage.get("models") or [] if isinstance(one, dict)]
        self.base = str(self.stage.get("base_model") or "")
        self.spec = _spec(self.stage)

    @property
    def names(self) -> list[str]:
        """What the recipe calls its models, the base first."""
        return [name for name in (self.base, *map(_model, self.models)) if name]

    @property
    def labels(self) -> list[str]:
        """Short names of the models, without the base."""
        return [str(one.get("name") or PurePath(_model(one)).stem) for one in self.models]

    @property
    def pair(self) -> tuple[str, str] | None:
        """The two models that are compared: the base, else the first, and the last."""
        return (self.names[0], self.names[-1]) if len(self.names) > 1 else None

    def ingredients(self) -> Value:
        """For the element `ingredients`."""
        rows = [
            {"name": _model(one), **self._row(_model(one), label), "fields": self._fields(place)}
            for place, (one, label) in enumerate(zip(self.models, self.labels, strict=True))
        ]
        base = {"name": self.base, **self._row(self.base, PurePath(self.base).stem)}
        entries = self._place.inventory.entries()
        return {
            "models": rows,
            "base": base if self.base else None,
            "method": self.stage.get("merge_method", ""),
            "methods": [
                {"name": one.name, "title": one.title}
                for one in sorted(manifest().values(), key=lambda one: one.title.lower())
            ],
            "choices": [
                {"name": one.name, "kind": one.kind, "family": one.family}
                for one in entries
                if one.kind in ("checkpoint", "lora")
            ],
            "has_samples": bool(self._place.samples),
        }

    def form(self) -> Value:
        """For the element `form` of the method's parameters."""
        spec = self.spec
        if spec is None:
            return {"fields": [], "empty": self._words("merge.no_method")}
        labels = self.labels if len(self.models) > 1 or not self.base else \
            [PurePath(self.base).stem, *self.labels]  # fmt: skip
        return {
            "title": spec.title,
            "text": spec.summary,
            "paper": spec.paper,
            "details": spec.details,
            "fields": controls.form(spec, self.stage, labels),
        }

    def output(self) -> Value:
        """For the element `form` of how the result is stored."""
        words, stage = self._words, self.stage
        layout = edits.value_at(stage, "output.layout") or ""
        aliases = [("base", words("merge.vae_base"))] if self.base else []
        aliases += [(label, label) for label in self.labels]
        vae = [("", words("merge.vae_default")), *aliases]
        fields = [
            _choice("dtype", words("merge.dtype"), stage.get("dtype"), DTYPES,
                    [words("merge.dtype_kept"), *DTYPES[1:]]),
            _choice("output.layout", words("merge.layout"), layout, LAYOUTS,
                    [words(f"merge.layout_{one or 'auto'}") for one in LAYOUTS]),
            _choice("components.vae.take", words("merge.vae"),
                    edits.value_at(stage, "components.vae.take"),
                    [key for key, _ in vae], [label for _, label in vae]),
        ]  # fmt: skip
        if layout == "lora":
            fields = [*fields[:2], *(
                {**controls.field(param, f"output.{param.name}",
                                  edits.value_at(stage, f"output.{param.name}")),
                 "label": param.name}
                for param in LORA
                if param.name in ("rank", "energy", "dialect")
            )]  # fmt: skip
        if self.spec is not None and self.spec.random:
            seed = controls.field(_SEED, "seed", stage.get("seed"))
            fields.append({**seed, "label": words("merge.seed")})
        return {"fields": fields}

    def blocks(self, address: str) -> Value:
        """For the element `blocks`: the curve at `address`, else the first there is."""
        curves = controls.curves(self.spec, self.labels) if self.spec else []
        known = [one["address"] for one in curves]
        address = address if address in known else (known[0] if known else "")
        labels = self._place.blocks(self.names)
        shares = self._place.differences.get(self.pair or ("", ""), {})
        most = max(shares.values(), default=0.0) or 1.0
        param = self._param(address)
        low, high = (param.range.low, param.range.high) if param and param.range else (0.0, 1.0)
        given = edits.value_at(self.stage, address) if address else None
        return {
            "labels": list(labels), "curves": curves, "address": address,
            "given": given is not None,
            "values": block_values(given, labels, float(param.default) if param else 0.0),
            "low": low, "high": high, "step": (high - low) / 100, "presets": sorted(PRESETS),
            "differences": {label: share / most for label, share in shares.items()},
        }  # fmt: skip

    def fields(self) -> list[controls.Field]:
        """Every control of the method."""
        own = [field for place in range(len(self.models)) for field in self._fields(place)]
        return own + (controls.form(self.spec, self.stage, ()) if self.spec else [])

    def _param(self, address: str) -> Param | None:
        name = address.rpartition(".")[2]
        return next(
            (one for one in (self.spec.params if self.spec else ()) if one.name == name), None
        )

    def _fields(self, place: int) -> list[controls.Field]:
        return controls.model_fields(self.spec, self.stage, place) if self.spec else []

    def _row(self, name: str, label: str) -> Value:
        entry = self._place.entry(name)
        kind = entry.kind if entry is not None else ""
        family = entry.family if entry is not None else ""
        note = self._words(f"models.kind_{kind}") if kind else self._words("merge.not_here")
        return {
            "label": label,
            "path": name,
            "kind": kind,
            "note": " · ".join(filter(None, [note, family])),
        }


def block_values(given: Any, labels: Sequence[str], default: float) -> list[float]:
    """A value per block as far as the recipe's words can be shown as one; else the default."""
    if isinstance(given, int | float) and not isinstance(given, bool):
        return [float(given)] * len(labels)
    if isinstance(given, dict) and isinstance(given.get("values"), dict):
        return [float(given["values"].get(label, default)) for label in labels]
    if isinstance(given, dict) and given.get("preset") in PRESETS:
        return list(row(given["preset"], len(labels) - 1))
    numbers = given.get("mbw") if isinstance(given, dict) else None
    if isinstance(numbers, list) and len(numbers) == len(labels):
        return [float(number) for number in numbers]
    return [default] * len(labels)


def read_row(text: str, labels: Sequence[str]) -> dict[str, float]:
    """A row of block weights, BASE first, as other tools write them."""
    try:
        numbers = [float(part) for part in text.split(",")]
    except ValueError:
        raise InputError("block weights are numbers with commas between") from None
    if len(numbers) != len(labels):
        hint = f"These models have {', '.join(labels)}."
        what = f"the row has {len(numbers)} numbers, and there are {len(labels)} blocks"
        raise InputError(what, hint=hint)
    return dict(zip(labels, numbers, strict=True))


def _choice(
    address: str, label: str, value: Any, choices: Sequence[str], labels: Sequence[str]
) -> controls.Field:
    param = Param(address.rpartition(".")[2], "choice", "", "", choices=tuple(choices))
    return {**controls.field(param, address, value), "label": label, "labels": list(labels)}


def _model(one: Mapping[str, Any]) -> str:
    return str(one.get("model") or "")


def _spec(stage: Mapping[str, Any]) -> MethodSpec | None:
    name = stage.get("merge_method")
    return manifest()[name] if isinstance(name, str) and name in manifest() else None
