"""`sdmerge lora merge`: several LoRAs, or a recipe, become one LoRA."""

from __future__ import annotations

from typing import Any

import click

from sdmerge.cli.lora.output import as_lora, lora_options
from sdmerge.cli.main import Session, output_options
from sdmerge.cli.merge import write
from sdmerge.cli.recipes import RecipeCommand, is_recipe, plan_of, read_recipe
from sdmerge.cli.runs.background import background_option


@click.command("merge", cls=RecipeCommand)
@click.argument("loras", nargs=-1, required=True)
@lora_options
@output_options
@background_option
@click.pass_obj
def merge_command(session: Session, loras: tuple[str, ...], target: str, **options: Any) -> None:
    r"""Merge LORAS (or a recipe) into one LoRA, by any method on what each of them changes.

    Without --method they are added up (task_arithmetic), each times its --weight: loaded at
    strength 1 that is what all of them give side by side. Methods that turn with their models
    (`sdmerge methods NAME` says so) merge by factors and are exact until --rank or another bound
    cuts; without a bound a module keeps the sum of the ranks it is made of. Where all are for a
    named family no --base is needed: methods on weights then see the changes themselves.

    \b
    sdmerge lora merge a.safetensors b.safetensors --weight 0.7,0.5 -o ab.safetensors
    sdmerge lora merge a.safetensors b.safetensors --method ties --density 0.3 --rank 64 \
        --dialect kohya -o ab.safetensors
    """
    if not options["method"] and not is_recipe(loras[0]):
        options["method"] = "task_arithmetic"
    recipe = as_lora(read_recipe(loras, options), options)
    planned = plan_of(
        session, recipe, allow_pickle=options["allow_pickle"], partial=options["partial"]
    )
    write(session, planned, target, options)
