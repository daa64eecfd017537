"""`sdmerge lora resize`: smaller ranks, with a stated error."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from sdmerge.cli.lora.files import open_lora_file, written_options
from sdmerge.cli.main import Session, output_options
from sdmerge.targets import find_target


@click.command("resize")
@click.argument("lora", type=click.Path(path_type=Path))
@click.option("--rank", type=int, help="This rank for all modules.")
@click.option("--ratio", type=float, help="Keep singular values of 1/RATIO of the largest on.")
@click.option("--energy", type=float, help="Keep this share of each module's squared norm.")
@click.option("--error", type=float, help="The largest relative error of each module.")
@click.option("--size", metavar="BYTES", help="The largest file: 20MB. Ranks go where they count.")
@click.option("--partial", is_flag=True, help="Keep other kinds than plain LoRAs as they are.")
@written_options
@output_options
@click.pass_obj
def resize_command(session: Session, lora: Path, target: Path, **options: Any) -> None:
    r"""Make the ranks of LORA smaller: the nearest there is, by singular values.

    The errors printed are of what is stored, the rounding of its numbers included.

    \b
    sdmerge lora resize style.safetensors -o style-8.safetensors --rank 8
    sdmerge lora resize style.safetensors -o style-small.safetensors --size 10MB
    """
    from sdmerge.adapters.lora.rewriting import dialect_of, rewritten
    from sdmerge.adapters.lora.saving import check_target, write_lora
    from sdmerge.lora.ranks import Wanted
    from sdmerge.lora.resize import metadata_of, resize
    from sdmerge.tensors.space import parse_size
    from sdmerge.tensors.spec import parse_dtype

    target = find_target(session.workspace, str(target), "loras")
    size = parse_size(options["size"]) if options["size"] else None
    wanted = Wanted(options["rank"], options["ratio"], options["energy"], options["error"], size)
    dtype = parse_dtype(options["dtype"]) if options["dtype"] else None
    file = open_lora_file(lora)
    check_target(target, dialect_of(file), force=options["force"])
    made = resize(file, wanted, dtype=dtype, partial=options["partial"])
    metadata = metadata_of(file, made.cuts, made.error)
    file.close()
    write_lora(target, rewritten(file, made.modules), metadata, force=options["force"])
    rows = [(cut.module, cut.before, cut.after, f"{cut.error:.2%}") for cut in made.cuts]
    rows += [(name, "", kind, "") for name, kind in made.kept.items()]
    session.output.table("", ("module", "rank", "now", "error"), rows)
    session.output.result(
        {
            "path": str(target),
            "error": made.error,
            "modules": {
                cut.module: {"before": cut.before, "after": cut.after, "error": cut.error}
                for cut in made.cuts
            },
            "kept": dict(made.kept),
        },
        f"wrote {target}: error {made.error:.2%} over {len(made.cuts)} modules",
        quiet=str(target),
    )
