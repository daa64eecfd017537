"""`sdmerge lora ziplora`: a subject's LoRA and a style's become one, by trained mergers."""

from __future__ import annotations

from typing import Any

import click

from sdmerge.cli.lora.output import as_lora, lora_options
from sdmerge.cli.main import Session, output_options
from sdmerge.cli.merge import write
from sdmerge.cli.recipes import RecipeCommand, plan_of, read_recipe
from sdmerge.cli.runs.background import background_option
from sdmerge.errors import InputError


class _OwnFlags(RecipeCommand):
    """With flags for the parameters of this method alone."""

    only = "ziplora"


@click.command("ziplora", cls=_OwnFlags)
@click.argument("loras", nargs=-1, required=True)
@lora_options
@output_options
@background_option
@click.pass_obj
def ziplora_command(session: Session, loras: tuple[str, ...], target: str, **options: Any) -> None:
    r"""Fuse LORAS, such as a subject and a style, by mergers trained on --base (ZipLoRA).

    --prompts are files, one per LoRA in their order: prompts that show what it is for, a line each.
    It is trained on what each LoRA draws for these, or on --references: a folder of pictures per
    LoRA, each with its own prompt in a .txt of its name.
    The result is an ordinary LoRA whose rank is the sum of theirs, for strength 1.

    \b
    sdmerge lora ziplora torii.safetensors pop.safetensors --base base/ \
        --prompts torii.txt,pop.txt -o torii-pop.safetensors
    """
    if options["method"] not in (None, "ziplora"):
        raise InputError(f"--method {options['method']}: that is `sdmerge lora merge`")
    if len(loras) < 2:
        hint = "Name a subject's and a style's, or more."
        raise InputError("one LoRA alone has nothing to be fused with", hint=hint)
    if not options["base"]:
        hint = "Name the model that the LoRAs are for: --base MODEL."
        raise InputError("mergers are trained on a model", hint=hint)
    options["method"] = "ziplora"
    recipe = as_lora(read_recipe(loras, options), options)
    planned = plan_of(
        session, recipe, allow_pickle=options["allow_pickle"], partial=options["partial"]
    )
    write(session, planned, target, options)
