"""What suits a model where the user leaves it open: steps, guidance, size.

Distilled models draw in few steps without guidance, and no file says so for certain. The rule:
a pipeline is taken for distilled if its scheduler is LCM's or TCD's, if its UNet has guidance as an
input, if its FLUX transformer has none (schnell), if a LoRA that takes part is called so (lcm,
turbo, lightning, hyper-sd, schnell, dmd, distilled, few step, 4 steps), or if all checkpoints that
take part are. It then gets the steps that a name states, else 4, and guidance 1, that is none.
Else it gets 25 steps and the guidance that its pipeline class has by default.
"""

from __future__ import annotations

import inspect
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import PurePath
from typing import Any

from sdmerge.plan import Plan
from sdmerge.sample.settings import SAMPLING, Sampling

_FEW = 4
_WORDS = re.compile(
    r"(?:^|[^a-z])(lcm|turbo|lightning|hyper[-_ ]?sd\w*|schnell|dmd2?|distill(?:ed|ation)?"
    r"|few[-_ ]?steps?|(?<!\d)(?:[1-9]|1[0-6])[-_ ]?steps?)(?![a-z])",
    re.IGNORECASE,
)
_STEPS = re.compile(r"(?<!\d)([1-9]|1[0-6])[-_ ]?steps?(?![a-z])", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Suited:
    """Steps and guidance for a model; `why` says what makes it special, if anything does."""

    steps: int
    guidance_scale: float
    why: str = ""


def suited(pipeline: Any, plan: Plan | None = None) -> Suited:
    """What suits `pipeline`, which holds `plan`."""
    checkpoints, changes = _names(plan)
    telling = _telling(pipeline) or _first(changes) or _all_of(checkpoints)
    if not telling:
        default = inspect.signature(pipeline.__call__).parameters.get("guidance_scale")
        guidance = SAMPLING["guidance_scale"].default if default is None else default.default
        return Suited(int(SAMPLING["steps"].default), float(guidance))
    stated = _STEPS.search(telling)
    return Suited(int(stated[1]) if stated else _FEW, 1.0, f"distilled, as {telling} says")


def filled(sampling: Sampling, found: Suited) -> Sampling:
    """`sampling` with what it leaves open."""
    guidance = sampling.guidance_scale
    return replace(
        sampling,
        steps=found.steps if sampling.steps is None else sampling.steps,
        guidance_scale=found.guidance_scale if guidance is None else guidance,
    )


def _telling(pipeline: Any) -> str:
    scheduler = type(pipeline.scheduler).__name__
    if scheduler in ("LCMScheduler", "TCDScheduler"):
        return scheduler
    unet = getattr(getattr(pipeline, "unet", None), "config", {})
    if unet.get("time_cond_proj_dim"):
        return "the UNet's time_cond_proj_dim"
    transformer = getattr(getattr(pipeline, "transformer", None), "config", {})
    return "guidance_embeds: false" if transformer.get("guidance_embeds") is False else ""


def _names(plan: Plan | None) -> tuple[list[str], list[str]]:
    """The file names of the checkpoints and of the LoRAs that a plan is made of."""
    if plan is None:
        return [], []
    spaces = {source.path: source.space for source in plan.sources}
    names = [(one.path.name, spaces.get(one.path)) for one in plan.inputs]
    weights = [name for name, space in names if space == "weight"]
    return weights, [name for name, space in names if space != "weight"]


def _first(names: Iterable[str]) -> str:
    return next((name for name in names if _WORDS.search(PurePath(name).stem)), "")


def _all_of(names: Sequence[str]) -> str:
    return _first(names) if all(_WORDS.search(PurePath(name).stem) for name in names) else ""
