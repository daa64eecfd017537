"""`sdmerge inspect`: what model files are."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from sdmerge.cli.main import Session, output_options


@click.command("inspect")
@click.argument("files", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option("--allow-pickle", is_flag=True, help="Read .ckpt and .bin with a restricted loader.")
@output_options
@click.pass_obj
def inspect_command(session: Session, files: tuple[Path, ...], *, allow_pickle: bool) -> None:
    """Say what FILES are: family, layout, components, dtypes, what is missing."""
    from sdmerge.inventory import describe

    found = [describe(path, allow_pickle=allow_pickle) for path in files]
    session.output.result(
        {"files": found},
        "\n\n".join(map(_text, found)),
        quiet="\n".join(str(one["family"]) for one in found),
    )


def _text(one: dict[str, Any]) -> str:
    lines = {"lora": _lora_lines, "embedding": _embedding_lines, "checkpoint": _checkpoint_lines}
    return "\n".join(lines[one["kind"]](one))


def _embedding_lines(one: dict[str, Any]) -> list[str]:
    widths = ", ".join(f"{name} {width}".strip() for name, width in one["widths"].items())
    facts = ", ".join(f"{name} {value}" for name, value in one["metadata"].items())
    return [
        one["path"],
        f"  textual inversion in {one['form']} form, for {one['token'] or 'a word of its name'}",
        f"  vectors: {one['vectors']} of width {widths}",
        *([f"  {facts}"] if facts else []),
    ]


def _lora_lines(one: dict[str, Any]) -> list[str]:
    parts = {name or "main model": count for name, count in one["components"].items()}
    counted = [f"  {word}: {_counts(one[word])}" for word in ("ranks", "magnitudes") if one[word]]
    head = f"  LoRA in {one['dialect']} names: {_counts(one['kinds'])}"
    return [one["path"], head, *counted, f"  changes: {_counts(parts)}"]


def _checkpoint_lines(one: dict[str, Any]) -> list[str]:
    from sdmerge.tensors.space import readable

    kind = f"{one['title']} {one['variant']}".rstrip()
    size = f"{one['parameters'] / 1e6:,.1f} M parameters, {readable(one['bytes'])}"
    counted = [f"  {word}: {_counts(one[word])}" for word in ("components", "dtypes") if one[word]]
    named = [
        f"  {word.replace('_', ' ')}: {len(one[word])} ({', '.join(one[word][:3])}, …)"
        for word in ("missing", "left_out")
        if one[word]
    ]
    head = [one["path"], f"  {kind}, {one['layout']}", f"  {one['tensors']:,} tensors, {size}"]
    return [*head, *counted, *named]


def _counts(counted: dict[str, int]) -> str:
    return ", ".join(f"{name} ({count})" for name, count in counted.items())
