"""`sdmerge lora`: what is done with LoRA files."""

from __future__ import annotations

import click

from sdmerge.cli.lazy import LazyGroup
from sdmerge.cli.main import output_options

COMMANDS = {
    "bake": ("bake", "Add LoRAs to a checkpoint."),
    "unbake": ("bake", "Subtract LoRAs that were baked into a checkpoint."),
    "inspect": ("inspect", "Say what a LoRA is and where it acts; compare two."),
    "merge": ("merge", "Merge several LoRAs into one, by any method."),
    "extract": ("extract", "Write what a model has beyond its base as a LoRA."),
    "ziplora": ("ziplora", "Fuse a subject's LoRA and a style's by trained mergers."),
    "convert": ("convert", "Write a LoRA in another dialect, without loss."),
    "resize": ("resize", "Make a LoRA's rank smaller, with a stated error."),
}


@click.group(cls=LazyGroup, package="sdmerge.cli.lora", table=COMMANDS)
@output_options
def lora_command() -> None:
    """Work on LoRA files."""
