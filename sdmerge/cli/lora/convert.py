"""`sdmerge lora convert`: the same LoRA under the names that another tool reads."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import click

from sdmerge.cli.lora.files import base_option, open_base, open_lora_file, written_options
from sdmerge.cli.main import Session, output_options
from sdmerge.targets import find_target

_DIALECTS = ("kohya", "diffusers", "peft", "comfyui")


@click.command("convert")
@click.argument("lora", type=click.Path(path_type=Path))
@click.option("--dialect", type=click.Choice(_DIALECTS), required=True, help="Whose names it gets.")
@click.option("--partial", is_flag=True, help="Leave out what has no place, and list it.")
@base_option
@written_options
@output_options
@click.pass_obj
def convert_command(session: Session, lora: Path, target: Path, **options: Any) -> None:
    r"""Write LORA in another dialect: kohya's scripts, diffusers, PEFT or ComfyUI.

    Factors and alphas stay as they are, bit for bit, where names map one to one; parts of a fused
    weight are put together exactly.

    \b
    sdmerge lora convert style.safetensors -o style-kohya.safetensors --dialect kohya
    sdmerge lora convert style.safetensors -o style-peft --dialect peft
    """
    from sdmerge.adapters.lora.saving import check_target, write_lora
    from sdmerge.lora.convert import convert
    from sdmerge.tensors.spec import parse_dtype

    target = find_target(session.workspace, str(target), "loras")
    check_target(target, options["dialect"], force=options["force"])
    dtype = parse_dtype(options["dtype"]) if options["dtype"] else None
    file, base = open_lora_file(lora), open_base(options["base"])
    made = convert(file, options["dialect"], base=base, dtype=dtype, partial=options["partial"])
    file.close()  # it may be what is written to
    write_lora(target, made.encoded, file.metadata, force=options["force"])
    if options["dialect"] == "kohya" and any("DoRA" in kind for kind in file.kinds):
        session.output.note("diffusers reads a DoRA in this dialect as a plain LoRA; others do not")
    _print_left_out(session, made.left_out)
    session.output.result(
        {
            "path": str(target),
            "dialect": options["dialect"],
            "family": made.family.name,
            "modules": made.encoded.modules,
            "left_out": dict(made.left_out),
        },
        f"wrote {target}: {made.encoded.modules} modules for {made.family.title}",
        quiet=str(target),
    )


def _print_left_out(session: Session, left_out: Mapping[str, str]) -> None:
    if left_out:
        session.output.table("Left out", ("module", "why"), list(left_out.items()))
