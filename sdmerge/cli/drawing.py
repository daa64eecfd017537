"""What commands that draw share: models as recipes, and how pictures are drawn."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import click

from sdmerge.cli.recipes import is_recipe
from sdmerge.errors import InputError
from sdmerge.recipe import Recipe, load_recipe, recipe_from_data


def drawing_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """The options that say how pictures are drawn."""
    for option in (
        click.option("--allow-pickle", is_flag=True,
                     help="Read .ckpt and .bin with a restricted loader."),
        click.option("--force", is_flag=True, help="Replace what is there."),
        click.option("--set", "settings", multiple=True, metavar="PATH=VALUE",
                     help="Change a value of every recipe."),
        click.option("--size", help="WIDTHxHEIGHT in pixels; by default the model's own."),
        click.option("--negative", default="", help="What the pictures should not show."),
        click.option("--guidance", default=7.5, show_default=True,
                     help="Classifier-free guidance."),
        click.option("--steps", default=25, show_default=True, type=click.IntRange(1),
                     help="Denoising steps."),
        click.option("--seeds", default=1, show_default=True, type=click.IntRange(1),
                     help="Pictures per prompt."),
        click.option("--seed", default=0, show_default=True, help="First seed."),
    ):  # fmt: skip
        command = option(command)
    return command


def sampling_of(options: Mapping[str, Any]) -> Any:
    """How pictures are drawn, as the options say."""
    from sdmerge.sample.draw import Sampling

    width, height = read_size(options["size"])
    return Sampling(options["steps"], options["guidance"], options["negative"], width, height)


def recipe_of(model: str, settings: tuple[str, ...]) -> Recipe:
    """A recipe file, or a model as it is."""
    if is_recipe(model):
        return load_recipe(Path(model), settings)
    return recipe_from_data({"merge_method": "linear", "models": [{"model": model}]}, model)


def read_size(text: str | None) -> tuple[int | None, int | None]:
    """Width and height of WIDTHxHEIGHT; None and None for no text."""
    if text is None:
        return None, None
    parts = text.lower().split("x")
    if len(parts) != 2 or not all(_is_side(part) for part in parts):
        raise InputError(
            f"'{text}' is not a size", hint="Write it like 512x768, in multiples of 8."
        )
    return int(parts[0]), int(parts[1])


def _is_side(text: str) -> bool:
    return text.isdecimal() and int(text) > 0 and int(text) % 8 == 0
