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
PER = ("block", "component")
MERGED = "=merged"
"""The choice of a VAE that is merged; no model is called so."""
LAYOUTS = ("", "single-file", "diffusers", "lora")
_PRUNE = Param("prune", "bool", False, "")
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
            "text": self._words.said(spec.summary),
            "paper": spec.paper,
            "details": spec.details,
            "fields": self._words.helped(controls.form(spec, self.stage, labels)),
        }

    def output(self) -> Value:
        """For the element `form` of how the result is stored."""
        words, stage = self._words, self.stage
        layout = edits.value_at(stage, "output.layout") or ""
        fields = [
            _choice("dtype", words("merge.dtype"), stage.get("dtype"), DTYPES,
                    [words("merge.dtype_kept"), *DTYPES[1:]]),
            _choice("output.layout", words("merge.layout"), layout, LAYOUTS,
                    [words(f"merge.layout_{one or 'auto'}") for one in LAYOUTS]),
        ]  # fmt: skip
        if layout != "lora":
            named = set(self.names)
            others = [
                (entry.name, entry.name) for entry in self._place.inventory.entries()
                if "vae" in entry.components and entry.name not in named
            ]  # fmt: skip
            pruned = controls.field(_PRUNE, "output.prune", edits.value_at(stage, "output.prune"))
            fields += [self._component("vae", others), {**pruned, "label": words("merge.prune")}]
        else:
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
        return {"fields": words.helped(fields)}

    def components(self) -> Value:
        """For the element `form` of what is done with each component."""
        found = [name for name in self.parts if name != "vae"]
        if len(found) < 2:
            return {"fields": [], "empty": self._words("merge.no_components")}
        encoders = [name for name in found if name.startswith("text_encoder")]
        words = [name.replace("text_encoder", "tokenizer") for name in encoders]
        return {"fields": [self._component(name) for name in [*found, *words]]}

    @property
    def parts(self) -> tuple[str, ...]:
        """The components of the first model that is known."""
        entries = (self._place.entry(name) for name in self.names)
        return next((one.components for one in entries if one is not None and one.components), ())

    def _component(self, name: str, others: Sequence[tuple[str, str]] = ()) -> controls.Field:
        """A control: merged like the rest, or taken whole from one of the models or of `others`."""
        words = self._words
        rule = edits.value_at(self.stage, f"components.{name}")
        rule = rule if isinstance(rule, dict) else {}
        taken = rule.get("take")
        now = taken if isinstance(taken, str) else MERGED if "merge_method" in rule else ""
        whole = name == "vae" or name.startswith("tokenizer")
        choices = [("", words("merge.vae_default" if whole else "merge.part_default"))]
        choices += [(MERGED, words("merge.part_merged"))] if name == "vae" else []
        choices += [("base", words("merge.part_base"))] if self.base else []
        choices += [(label, words("merge.part_from", model=label)) for label in self.labels]
        choices += others
        choices += [(now, now)] if now not in dict(choices) else []
        label = words("merge.vae") if name == "vae" else name
        keys, labels = zip(*choices, strict=True)
        return _choice(f"components.{name}", label, now, keys, labels)

    def blocks(self, address: str, per: str = "") -> Value:
        """For the element `blocks`: the curve at `address`, else the first there is.

        per: What has a value each; "" for what the recipe says, else blocks.
        """
        curves = controls.curves(self.spec, self.labels) if self.spec else []
        known = [one["address"] for one in curves]
        address = address if address in known else (known[0] if known else "")
        given = edits.value_at(self.stage, address) if address else None
        said = str(given.get("per")) if isinstance(given, dict) else ""
        per = per if per in PER else said if said in PER else PER[0]
        labels = self._groups(per)
        shares = self._place.differences.get(self.pair or ("", ""), {})
        most = max(shares.values(), default=0.0) or 1.0
        param = self._param(address)
        low, high = (param.range.low, param.range.high) if param and param.range else (0.0, 1.0)
        default = float(param.default) if param else 0.0
        return {
            "labels": list(labels), "curves": curves, "address": address,
            "per": per, "pers": [{"name": one, "label": self._words(f"merge.per_{one}")}
                                 for one in PER],
            "given": given is not None,
            "values": block_values(given, labels, default),
            "low": low, "high": high, "step": (high - low) / 100, "presets": sorted(PRESETS),
            "differences": {label: share / most for label, share in shares.items()},
        }  # fmt: skip

    def _groups(self, per: str) -> tuple[str, ...]:
        """The labels that may have a value each; the VAE is among them where it is merged."""
        blocks = self._place.blocks(self.names)
        if per == "block" or not blocks:
            return blocks
        rules = self.stage.get("components")
        rules = rules if isinstance(rules, dict) else {}
        merged = {name for name, rule in rules.items() if isinstance(rule, dict) and "take" in rule}
        whole = merged | (set() if "vae" in rules else {"vae"})
        return tuple(name for name in self.parts if name not in whole)

    def _param(self, address: str) -> Param | None:
        name = address.rpartition(".")[2]
        return next(
            (one for one in (self.spec.params if self.spec else ()) if one.name == name), None
        )

    def _fields(self, place: int) -> list[controls.Field]:
        found = controls.model_fields(self.spec, self.stage, place) if self.spec else []
        return self._words.helped(found)

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
