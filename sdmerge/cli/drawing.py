"""What commands that draw share: models as recipes, and how pictures are drawn."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import replace
from pathlib import Path
from typing import Any

import click

from sdmerge.cli.main import Session
from sdmerge.cli.recipes import is_recipe, recipe_in
from sdmerge.errors import InputError
from sdmerge.recipe import Recipe, recipe_from_data
from sdmerge.recipe.model import Applied
from sdmerge.sample.settings import SAMPLING, Sampling, read_sampling, read_size

_SHORT = {"guidance_scale": ["--guidance"], "negative_prompt": ["--negative"]}
_SIDES = ("width", "height")


def drawing_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """The options that say how pictures are drawn."""
    for option in (
        click.option("--allow-pickle", is_flag=True,
                     help="Read .ckpt and .bin with a restricted loader."),
        click.option("--force", is_flag=True, help="Replace what is there."),
        click.option("--set", "settings", multiple=True, metavar="PATH=VALUE",
                     help="Change a value of every recipe."),
        click.option("--embedding", "embeddings", multiple=True, metavar="FILE",
                     type=click.Path(path_type=Path, dir_okay=False),
                     help="A textual inversion; may be repeated."),
        click.option("--lora", "loras", multiple=True, metavar="FILE[:WEIGHT]",
                     help="A LoRA to draw with, as if it were merged in; may be repeated."),
        click.option("--size", help="WIDTHxHEIGHT in pixels; by default the model's own."),
        *(_flag(name) for name in reversed([*SAMPLING]) if name not in _SIDES),
        click.option("--seeds", default=1, show_default=True, type=click.IntRange(1),
                     help="Pictures per prompt."),
        click.option("--seed", default=0, show_default=True, help="First seed."),
    ):  # fmt: skip
        command = option(command)
    return command


def _flag(name: str) -> Callable[..., Any]:
    param = SAMPLING[name]
    kinds = {"int": int, "float": float}
    return click.option(
        f"--{name.replace('_', '-')}", *_SHORT.get(name, []), name,
        type=kinds.get(param.kind, str), help=param.doc,
    )  # fmt: skip


def sampling_of(options: Mapping[str, Any]) -> Sampling:
    """How pictures are drawn, as the options say; what they leave out is the model's business."""
    width, height = read_size(options["size"]) if options["size"] else (None, None)
    given = {name: options[name] for name in SAMPLING if name not in _SIDES}
    sides = {"width": width, "height": height}
    return read_sampling({k: v for k, v in {**given, **sides}.items() if v is not None})


def inversions_of(options: Mapping[str, Any]) -> list[Any]:
    """The textual inversions that prompts may use."""
    from sdmerge.sample.inversion import load_inversion

    allow = options["allow_pickle"]
    return [load_inversion(path, allow_pickle=allow) for path in options["embeddings"]]


def live_of(session: Session, memory: int | None = None) -> AbstractContextManager[Any]:
    """The LiveMerge that this command draws with; `memory` is that of a new one."""
    if session.studio is not None:
        return nullcontext(session.studio.live)
    from sdmerge.live import LiveMerge
    from sdmerge.sample.probe import pipelines

    return LiveMerge(device=session.device, memory=memory, probe=pipelines)


def drawer_of(session: Session, live: Any, inversions: Sequence[Any]) -> Any:
    """What draws with `live`; in a process that previews share, it lets them go first."""
    if session.studio is not None:
        return session.studio.drawer(inversions)
    from sdmerge.sample.draw import Drawer

    return Drawer(live, inversions=inversions)


def say_suited(session: Session, found: Any, sampling: Sampling) -> None:
    """What was chosen for a distilled model, where the user left it open."""
    chosen = [
        f"--{name.replace('_', '-')} {getattr(found, name):g}"
        for name in ("steps", "guidance_scale")
        if getattr(sampling, name) is None
    ]
    if found.why and chosen:
        session.output.note(f"{found.why}: {' '.join(chosen)}")


def recipe_of(model: str, settings: tuple[str, ...], loras: Sequence[str] = ()) -> Recipe:
    """A recipe file, or a model as it is, with LoRAs applied to the result."""
    if is_recipe(model):
        recipe = recipe_in(Path(model), settings)
    else:
        recipe = recipe_from_data({"merge_method": "linear", "models": [{"model": model}]}, model)
    last = recipe.stages[-1]
    applied = tuple(read_lora(text) for text in loras)
    stages = (*recipe.stages[:-1], replace(last, apply=(*last.apply, *applied)))
    return replace(recipe, stages=stages)


def read_lora(text: str) -> Applied:
    """FILE or FILE:WEIGHT; a path is relative to the working folder, not to a recipe."""
    path, _, tail = text.rpartition(":")
    weight = _number(tail)
    if not path or weight is None:
        path, weight = text, 1.0
    if not -4 <= weight <= 4:
        raise InputError(f"--lora {text}: the weight {weight:g} is outside -4..4")
    there = Path(path).expanduser()
    return Applied(str(there.resolve()) if there.exists() else path, weight, "--lora")


def _number(text: str) -> float | None:
    try:
        return float(text)
    except ValueError:
        return None
