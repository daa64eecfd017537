"""Samplers by the names that A1111 gives them, as diffusers' schedulers and their flags.

A name is a sampler, and behind it may stand how its noise levels are spaced: "DPM++ 2M Karras".
Left out is what diffusers has no scheduler for, and what of it drew something else on the sample
models than all others do: PLMS, DPM2 a, beta spacing.
This module imports diffusers only where a scheduler is made.
"""

from __future__ import annotations

import inspect
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from sdmerge.errors import InputError, nearest

Flags = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Sampler:
    """A scheduler's class in diffusers and what it is made with beside the model's own config."""

    scheduler: str
    flags: Flags = field(default_factory=dict[str, Any])


_SPACED: Mapping[str, Sampler] = {
    "Euler": Sampler("EulerDiscreteScheduler"),
    "Heun": Sampler("HeunDiscreteScheduler"),
    "LMS": Sampler("LMSDiscreteScheduler"),
    "DPM2": Sampler("KDPM2DiscreteScheduler"),
    "DPM++ 2M": Sampler("DPMSolverMultistepScheduler",
                        {"algorithm_type": "dpmsolver++", "solver_order": 2}),
    "DPM++ 2M SDE": Sampler("DPMSolverMultistepScheduler",
                            {"algorithm_type": "sde-dpmsolver++", "solver_order": 2}),
    "DPM++ 3M SDE": Sampler("DPMSolverMultistepScheduler",
                            {"algorithm_type": "sde-dpmsolver++", "solver_order": 3}),
    "DPM++ SDE": Sampler("DPMSolverSinglestepScheduler",
                         {"algorithm_type": "sde-dpmsolver++", "solver_order": 2}),
    "DPM++ 2S": Sampler("DPMSolverSinglestepScheduler",
                        {"algorithm_type": "dpmsolver++", "solver_order": 2}),
    "DEIS": Sampler("DEISMultistepScheduler"),
    "UniPC": Sampler("UniPCMultistepScheduler"),
}  # fmt: skip
"""Samplers that take any spacing."""

_PLAIN: Mapping[str, Sampler] = {
    "DDIM": Sampler("DDIMScheduler"),
    "DDPM": Sampler("DDPMScheduler"),
    "Euler a": Sampler("EulerAncestralDiscreteScheduler"),
    "LCM": Sampler("LCMScheduler"),
    "TCD": Sampler("TCDScheduler"),
}

_SPACINGS = {
    "Karras": "use_karras_sigmas",
    "Exponential": "use_exponential_sigmas",
}

_FLOW = {"Euler": "FlowMatchEulerDiscreteScheduler", "Heun": "FlowMatchHeunDiscreteScheduler"}
"""The same methods for models of flow matching, whose schedulers share no config with the rest."""


def _all() -> Iterator[tuple[str, Sampler]]:
    yield from _PLAIN.items()
    # a model's own config may ask for a spacing; a sampler named without one has none
    none = dict.fromkeys((*_SPACINGS.values(), "use_beta_sigmas"), False)
    for name, sampler in _SPACED.items():
        yield name, Sampler(sampler.scheduler, {**sampler.flags, **none})
        for spacing, flag in _SPACINGS.items():
            flags = {**sampler.flags, **none, flag: True}
            yield f"{name} {spacing}", Sampler(sampler.scheduler, flags)


SAMPLERS: Mapping[str, Sampler] = dict(_all())
"""Every name with its scheduler."""

_BY_SPELLING = {name.lower(): name for name in SAMPLERS}


def sampler_name(text: str) -> str:
    """The canonical spelling of a sampler's name; an InputError if there is none like it."""
    spelling = " ".join(text.lower().replace("_", " ").split())
    if spelling not in _BY_SPELLING:
        near = nearest(spelling, _BY_SPELLING)
        for lower, name in _BY_SPELLING.items():
            near = near.replace(f"'{lower}'", f"'{name}'")
        names = ", ".join([*_PLAIN, *_SPACED])
        spacings = ", ".join(_SPACINGS)
        hint = f"{near} There are {names}; from Euler on also with {spacings} behind.".strip()
        raise InputError(f"there is no sampler '{text}'", hint=hint)
    return _BY_SPELLING[spelling]


def make_scheduler(name: str, own: Any) -> Any:
    """The scheduler called `name` for a model whose own is `own`: its noise levels and prediction.

    What it cannot do for this model is an InputError.
    """
    import diffusers

    if type(own).__name__.startswith("FlowMatch"):
        if name not in _FLOW:
            what = f"{name} does not sample models of flow matching"
            raise InputError(what, hint=f"There are: {', '.join(_FLOW)}.")
        return getattr(diffusers, _FLOW[name]).from_config(own.config)
    sampler = SAMPLERS[sampler_name(name)]
    made = getattr(diffusers, sampler.scheduler)
    takes = inspect.signature(made.__init__).parameters
    if own.config.get("rescale_betas_zero_snr") and "rescale_betas_zero_snr" not in takes:
        hint = "DDIM, Euler, Euler a and DPM++ 2M can, among others."
        raise InputError(f"{name} cannot start from pure noise, as this model does", hint=hint)
    # a config remembers which values were defaults, and would put those back; arguments stay
    return made.from_config(own.config, **sampler.flags)
