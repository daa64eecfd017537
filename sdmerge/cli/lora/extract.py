"""`sdmerge lora extract`: what a model has beyond its base, as a LoRA."""

from __future__ import annotations

from typing import Any

import click

from sdmerge.cli.lora.output import as_lora, lora_options
from sdmerge.cli.main import Session, output_options
from sdmerge.cli.merge import write
from sdmerge.cli.recipes import RecipeCommand, is_recipe, plan_of, read_recipe
from sdmerge.cli.runs.background import background_option
from sdmerge.errors import InputError

RANK = 32


@click.command("extract", cls=RecipeCommand)
@click.argument("tuned")
@lora_options
@output_options
@background_option
@click.pass_obj
def extract_command(session: Session, tuned: str, target: str, **options: Any) -> None:
    r"""Write what TUNED (a model, or a recipe's result) has beyond --base as a LoRA.

    Linear layers, convolutions and text encoders; of biases and norms the whole change, in the
    dialects that have words for it. Unless you bound the ranks they are 32. The error of each
    module is stored in the file, and that of the whole is printed.

    --kind dora stores the lengths of the tuned rows as well, and is never further off than a LoRA
    of its rank. --kind lokr stores a Kronecker product: a file of a few hundred kilobytes, and far
    off unless the change is of that kind. Its --factor is the size of the smaller factor; --rank
    cuts the other one in linear layers.

    \b
    sdmerge lora extract tuned.safetensors --base base.safetensors -o tuned-lora.safetensors
    sdmerge lora extract tuned.safetensors --base base.safetensors --kind dora -o dora.safetensors
    sdmerge lora extract recipe.yaml --energy 0.9 --dialect kohya -o merged-lora.safetensors
    """
    if not is_recipe(tuned):
        if not options["base"]:
            hint = "Name the model that it was trained from: --base MODEL."
            raise InputError("a change is a change of something", hint=hint)
        options["method"] = options["method"] or "task_arithmetic"
    recipe = as_lora(read_recipe((tuned,), options), options, rank=RANK)
    planned = plan_of(
        session, recipe, allow_pickle=options["allow_pickle"], partial=options["partial"]
    )
    write(session, planned, target, options)
