"""`sdmerge convert`: the same model in another layout or dtype."""

from __future__ import annotations

from typing import Any

import click

from sdmerge.cli.main import Session, output_options
from sdmerge.cli.merge import target_options, write
from sdmerge.cli.recipes import plan_of, prune_option, storage_options, stored
from sdmerge.cli.runs.background import background_option
from sdmerge.errors import InputError
from sdmerge.recipe import recipe_from_data


@click.command("convert")
@click.argument("model")
@target_options
@click.option("--vae", metavar="MODEL", help="Take the VAE from this model instead.")
@click.option(
    "--take",
    "taken",
    multiple=True,
    metavar="NAME=MODEL",
    help="Take a component or the tokenizer from another model; may be repeated.",
)
@storage_options
@prune_option
@output_options
@background_option
@click.pass_obj
def convert_command(session: Session, model: str, target: str, **options: Any) -> None:
    """Store MODEL as a single file, or as a diffusers folder."""
    data: dict[str, Any] = {"merge_method": "linear", "models": [{"model": model}]}
    taken = [f"vae={options['vae']}"] if options["vae"] else []
    if parts := [_split(text) for text in (*options["taken"], *taken)]:
        data["components"] = {name: {"take": source} for name, source in parts}
    read = stored(recipe_from_data(data, "command line"), options)
    planned = plan_of(session, read, allow_pickle=options["allow_pickle"])
    write(session, planned, target, options)


def _split(text: str) -> tuple[str, str]:
    name, equals, source = text.partition("=")
    if not equals or not name or not source:
        hint = "For example --take tokenizer=FOLDER."
        raise InputError(f"'{text}' is not NAME=MODEL", hint=hint)
    return name, source
