"""What `lora merge` and `lora extract` share: how much is kept, and in whose names."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import click

from sdmerge.cli.recipes import recipe_options
from sdmerge.params import Scalar
from sdmerge.recipe import Recipe
from sdmerge.recipe.output import BOUNDS, LORA


def lora_options(command: Any) -> Any:
    """`-o`, and a flag for everything that a recipe's output says of a LoRA."""
    for param in reversed(LORA):
        if param.name != "partial":  # the recipe's own flag means both
            words = "|".join(param.choices) or "VALUE"
            flag = f"--{param.name.replace('_', '-')}"
            command = click.option(flag, param.name, metavar=words, help=param.doc)(command)
    for option in (
        click.option("--threads", type=click.IntRange(1), help="Tensors at work at once."),
        click.option("--force", is_flag=True, help="Replace what is there."),
        click.option("-o", "--output", "target", required=True,
                     help="NAME.safetensors; a folder for a PEFT adapter."),
    ):  # fmt: skip
        command = option(command)
    return recipe_options(command)


def as_lora(recipe: Recipe, options: Mapping[str, Any], **defaults: Scalar) -> Recipe:
    """The recipe with its result as a LoRA; `defaults` hold where nothing bounds the ranks."""
    asked = {
        param.name: param.parse(options[param.name])
        for param in LORA
        if isinstance(options.get(param.name), str)
    }
    if options["partial"]:
        asked["partial"] = True
    lora: dict[str, Scalar] = {**recipe.output.lora, **asked}
    # how large a LoKr is, its factor says
    if lora.get("kind") != "lokr" and not lora.keys() & {*BOUNDS}:
        lora = {**defaults, **lora}
    return replace(recipe, output=replace(recipe.output, layout="lora", lora=lora))
