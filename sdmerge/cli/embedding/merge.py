"""`sdmerge embedding merge`: textual inversions put one after the other, or averaged."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from sdmerge.cli.main import Session, output_options
from sdmerge.errors import InputError
from sdmerge.targets import find_target


@click.command("merge")
@click.argument("files", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option("-o", "--output", "target", required=True, type=click.Path(path_type=Path),
              help="NAME.safetensors.")  # fmt: skip
@click.option("--method", "how", required=True, type=click.Choice(["concatenate", "average"]),
              help="All vectors one after the other, or their weighted average.")  # fmt: skip
@click.option("--weight", metavar="W,W…", help="Weights of an average, one per file.")
@click.option("--token", default="", help="The word it gets, where its form names one.")
@click.option("--dtype", help="What is stored: float32, float16, …; by default as the first.")
@click.option("--force", is_flag=True, help="Replace what is there.")
@click.option("--allow-pickle", is_flag=True, help="Read .pt and .bin with a restricted loader.")
@output_options
@click.pass_obj
def merge_command(session: Session, files: tuple[Path, ...], target: Path, **options: Any) -> None:
    r"""Merge the textual inversions FILES into one, in the form of the first.

    \b
    sdmerge embedding merge a.safetensors b.safetensors --method concatenate -o ab.safetensors
    sdmerge embedding merge a.pt b.pt --method average --weight 7,3 --allow-pickle -o c.safetensors
    """
    from sdmerge.embedding import merge_embeddings

    target = find_target(session.workspace, str(target), "embeddings")
    weights = _weights(options["weight"], options["how"])
    written = merge_embeddings(
        files, target, options["how"], weights=weights, token=options["token"],
        dtype=options["dtype"], force=options["force"], allow_pickle=options["allow_pickle"],
    )  # fmt: skip
    count = len(next(iter(written.values())))
    data = {"path": str(target), "tensors": list(written), "vectors": count}
    session.output.result(data, f"wrote {target}, vectors: {count}", quiet=str(target))


def _weights(text: str | None, how: str) -> list[float]:
    if text is None:
        return []
    if how != "average":
        raise InputError("--weight belongs to --method average")
    try:
        return [float(part) for part in text.split(",")]
    except ValueError:
        raise InputError(f"--weight {text}: should be numbers with commas between") from None
