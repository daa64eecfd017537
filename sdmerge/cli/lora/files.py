"""What the commands on LoRA files share: how these, and the base they are for, are named."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from sdmerge.errors import InputError

if TYPE_CHECKING:
    from sdmerge.adapters import LoraFile, MappedSource


def base_option(command: Any) -> Any:
    """`--base MODEL`, for files whose names and shapes do not tell what they are for."""
    return click.option(
        "--base",
        type=click.Path(path_type=Path),
        help="The model it is for, where names and shapes do not tell.",
    )(command)


def written_options(command: Any) -> Any:
    """The options of every command that writes a LoRA."""
    for option in (
        click.option("--force", is_flag=True, help="Replace what is there."),
        click.option("--dtype", help="What is stored: float16, bfloat16, float32, …"),
        click.option("-o", "--output", "target", required=True, type=click.Path(path_type=Path),
                     help="NAME.safetensors; a folder for a PEFT adapter."),
    ):  # fmt: skip
        command = option(command)
    return command


def open_lora_file(path: Path) -> LoraFile:
    """The LoRA at `path`; another file is an InputError."""
    from sdmerge.adapters import LoraFile, open_model

    model = open_model(path)
    if not isinstance(model, LoraFile):
        model.close()
        hint = "`sdmerge inspect` says what it is."
        raise InputError("is not a LoRA", where=str(path), hint=hint)
    return model


def open_base(path: Path | None) -> MappedSource | None:
    """The checkpoint at `path`, if one is given."""
    from sdmerge.adapters import MappedSource, open_model

    if path is None:
        return None
    model = open_model(path)
    if not isinstance(model, MappedSource):
        model.close()
        raise InputError("is a LoRA, not a base model", where=str(path))
    return model
