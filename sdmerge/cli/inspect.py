"""`sdmerge inspect`: what model files are."""

from __future__ import annotations

from collections import Counter
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
    found = [_inspect(path, allow_pickle=allow_pickle) for path in files]
    session.output.result(
        {"files": found},
        "\n\n".join(map(_text, found)),
        quiet="\n".join(str(one["family"]) for one in found),
    )


def _inspect(path: Path, *, allow_pickle: bool) -> dict[str, Any]:
    from sdmerge.adapters import LoraFile, open_model
    from sdmerge.adapters.embedding import is_embedding

    if is_embedding(path, allow_pickle=allow_pickle):
        return _embedding(path, allow_pickle=allow_pickle)
    opened = open_model(path, allow_pickle=allow_pickle)
    if isinstance(opened, LoraFile):
        return {
            "path": str(path),
            "kind": "lora",
            "family": None,
            "dialect": opened.dialect,
            "kinds": dict(opened.kinds),
            "ranks": {str(rank): count for rank, count in opened.ranks.items()},
            "magnitudes": dict(opened.magnitudes),
            "components": dict(opened.components),
            "metadata": dict(opened.metadata),
        }
    components = Counter(key.split(".", 1)[0] for key in opened.specs)
    return {
        "path": str(path),
        "kind": "checkpoint",
        "family": opened.family.name,
        "title": opened.family.title,
        "variant": opened.variant,
        "layout": opened.layout,
        "tensors": len(opened.specs),
        "parameters": sum(spec.numel for spec in opened.specs.values()),
        "bytes": sum(spec.nbytes for spec in opened.specs.values()),
        "components": dict(components) if opened.family.components else {},
        "dtypes": dict(Counter(spec.dtype for spec in opened.specs.values())),
        "missing": list(opened.missing),
        "left_out": list(opened.left_out),
        "metadata": {key: value for key, value in opened.metadata.items() if len(value) < 2000},
    }


def _embedding(path: Path, *, allow_pickle: bool) -> dict[str, Any]:
    from sdmerge.adapters.embedding import open_embedding
    from sdmerge.tensors.dtypes import code_of

    opened = open_embedding(path, allow_pickle=allow_pickle)
    return {
        "path": str(path),
        "kind": "embedding",
        "family": None,
        "form": opened.form,
        "token": opened.token,
        "vectors": opened.count,
        "widths": dict(opened.widths),
        "dtypes": dict(Counter(code_of(one.dtype) for one in opened.vectors.values())),
        "lengths": {
            name: [round(length, 4) for length in row] for name, row in opened.lengths.items()
        },
        "metadata": dict(opened.facts),
    }


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
