"""Sampling: how a picture is drawn, declared once for recipes, flags, grid axes and forms.

`SAMPLING` are the parameters with their ranges and texts. What a `Sampling` leaves out (None) is
what suits the model: see sdmerge.sample.suited. This module imports no torch.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Annotated

from sdmerge.errors import InputError, MethodError, nearest
from sdmerge.params import Param, Range, Scalar, read_params
from sdmerge.sample.samplers import SAMPLERS, sampler_name

_Side = Annotated[int, Range(256, 2048, step=8, limits=(8, 16384))]


@dataclass(frozen=True, slots=True)
class Sampling:
    """How pictures are drawn; None is what suits the model. Sizes are in pixels."""

    steps: int | None = None
    guidance_scale: float | None = None
    negative_prompt: str = ""
    width: int | None = None
    height: int | None = None
    sampler: str | None = None
    clip_skip: int = 1


def _sampling(
    *,
    steps: Annotated[int, Range(1, 50, step=1, limits=(1, 1000))] = 25,
    guidance_scale: Annotated[float, Range(1.0, 15.0, step=0.5, limits=(0.0, 100.0))] = 7.5,
    negative_prompt: str = "",
    width: _Side = 512,
    height: _Side = 512,
    sampler: str = "DDIM",
    clip_skip: Annotated[int, Range(1, 12, step=1)] = 1,
) -> None:
    """The parameters of Sampling, with what a form starts from where the model is not known.

    steps: Denoising steps.
    guidance_scale: How closely the prompt is followed; 1 and less draw without guidance.
    negative_prompt: What the picture should not show.
    width: Pixels across, a multiple of 8.
    height: Pixels down, a multiple of 8.
    sampler: The sampler by the name that A1111 gives it, such as DPM++ 2M Karras.
    clip_skip: The text encoder's layer, counted from the last, which is 1.
    """
    del steps, guidance_scale, negative_prompt, width, height, sampler, clip_skip


def _declared() -> Mapping[str, Param]:
    params = {param.name: param for param in read_params(_sampling)}
    params["sampler"] = replace(params["sampler"], kind="choice", choices=tuple(SAMPLERS))
    return params


SAMPLING = _declared()
"""Every setting by its name."""


def check_setting(name: str, value: object) -> Scalar:
    """`value` as the setting's type, samplers by their canonical name; else an InputError."""
    if name not in SAMPLING:
        hint = f"{nearest(name, SAMPLING)} There are: {', '.join(SAMPLING)}.".strip()
        raise InputError(f"there is no setting '{name}'", hint=hint)
    if name == "sampler" and isinstance(value, str):
        return sampler_name(value)
    checked = SAMPLING[name].check(value)
    if name in ("width", "height") and isinstance(checked, int) and checked % 8:
        raise MethodError(f"{name} = {checked} is no multiple of 8", hint=SAMPLING[name].doc)
    return checked


def read_sampling(data: Mapping[str, object], start: Sampling | None = None) -> Sampling:
    """Settings by name, as a recipe or an axis gives them, on top of `start`."""
    found = {name: check_setting(name, value) for name, value in data.items()}
    return replace(start or Sampling(), **found)  # pyright: ignore[reportArgumentType]


def read_size(text: str) -> tuple[int, int]:
    """Width and height of WIDTHxHEIGHT."""
    parts = text.lower().split("x")
    if len(parts) != 2 or not all(_is_side(part) for part in parts):
        raise InputError(
            f"'{text}' is not a size", hint="Write it like 512x768, in multiples of 8."
        )
    return int(parts[0]), int(parts[1])


def _is_side(text: str) -> bool:
    return text.isdecimal() and int(text) > 0 and int(text) % 8 == 0
