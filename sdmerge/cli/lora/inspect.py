"""`sdmerge lora inspect`: what a LoRA is and where it acts; two of them beside each other."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from sdmerge.cli.lora.files import base_option, open_base, open_lora_file
from sdmerge.cli.main import Session, output_options
from sdmerge.cli.output import Output
from sdmerge.cli.recipes import check_picture
from sdmerge.errors import InputError

if TYPE_CHECKING:
    from sdmerge.adapters import LoraFile
    from sdmerge.lora.anatomy import Anatomy, BlockNorm
    from sdmerge.lora.overlap import BlockOverlap, Spaces

_WIDE = 24


@click.command("inspect")
@click.argument("files", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option("--plot", type=click.Path(path_type=Path), help="Draw the blocks to this .png.")
@click.option("--force", is_flag=True, help="Replace the picture that is there.")
@base_option
@output_options
@click.pass_obj
def inspect_command(
    session: Session, files: tuple[Path, ...], plot: Path | None, base: Path | None, *, force: bool
) -> None:
    r"""Say what the LoRA in FILES is, what it was trained on, and how much it changes where.

    Of two LoRAs it says how far they change the same weights in the same direction, and whether
    they write into, or read, the same features.

    \b
    sdmerge lora inspect style.safetensors
    sdmerge lora inspect style.safetensors subject.safetensors --plot both.png
    """
    from sdmerge.lora.anatomy import anatomy, block_norms
    from sdmerge.lora.overlap import overlap, sentences

    if len(files) > 2:
        raise InputError(f"{len(files)} files; one or two can be inspected at once")
    if plot is not None:
        check_picture(plot, force=force)
    model = open_base(base)
    loras = [open_lora_file(path) for path in files]
    found = [anatomy(lora, model) for lora in loras]
    norms = [block_norms(one, model) for one in found]
    data: dict[str, Any] = {
        "files": [_described(*each) for each in zip(loras, found, norms, strict=True)]
    }
    for one, measured in zip(data["files"], norms, strict=True):
        _print_one(session.output, one, measured)
    between: list[BlockOverlap] = []
    words: list[str] = []
    if len(found) == 2:
        between = overlap(*found)
        words = sentences(between)
        data |= {"overlap": [asdict(one) for one in between], "in_words": words}
        _print_overlap(session.output, between, words)
    if plot is not None:
        _draw(plot, [path.stem for path in files], norms, between, words)
        data["plot"] = str(plot)
    quiet = "\n".join(str(one["family"]) for one in data["files"])
    session.output.result(data, f"drew {plot}" if plot else "", quiet=quiet)


def _described(lora: LoraFile, found: Anatomy, norms: Sequence[BlockNorm]) -> dict[str, Any]:
    from sdmerge.lora.trainer import tags, told

    return {
        "path": str(lora.path),
        "dialect": lora.dialect,
        "family": found.family.name,
        "families": [one.name for one in found.families],
        "title": " or ".join(one.title for one in found.families),
        "kinds": dict(found.kinds),
        "ranks": {str(rank): count for rank, count in found.ranks.items()},
        "alphas": {f"{alpha:g}": count for alpha, count in found.alphas.items()},
        "trainer": told(lora.metadata),
        "tags": tags(lora.metadata),
        "blocks": [asdict(one) for one in norms],
        "not_measured": dict(found.other),
        "needs_base": found.needs_base,
    }


def _print_one(output: Output, one: Mapping[str, Any], norms: Sequence[BlockNorm]) -> None:
    lines = [
        one["path"],
        f"  LoRA for {one['title']} in {one['dialect']} names: {_counts(one['kinds'])}",
        f"  ranks: {_counts(one['ranks'])}; alphas: {_counts(one['alphas'])}",
        *(f"  {word}: {text}" for word, text in one["trainer"].items()),
    ]
    if one["tags"]:
        lines.append(f"  tags: {_counts(one['tags'])}")
    if one["not_measured"]:
        counts = _counts(Counter(one["not_measured"].values()))
        lines.append(f"  not measured below: {counts}{_why(one)}")
    output.text("\n".join(lines))
    if not norms:
        return
    longest = max(each.norm for each in norms)
    shares = any(each.share is not None for each in norms)
    rows = [
        (
            each.block,
            each.modules,
            f"{each.norm:.4g}",
            *([f"{each.share or 0:.2%}"] if shares else []),
            f"{each.effective_rank:.1f}",
            "█" * round(_WIDE * each.norm / longest) if longest else "",
        )
        for each in norms
    ]
    head = ("block", "modules", "‖ΔW‖", *(["of base"] if shares else []), "effective rank", "")
    output.table("", head, rows)


def _why(one: Mapping[str, Any]) -> str:
    """What there is to do about what is not measured."""
    return "; --base MODEL measures what acts on its weights" if one["needs_base"] else ""


def _print_overlap(output: Output, found: Sequence[BlockOverlap], words: Sequence[str]) -> None:
    rows = [
        (
            one.block,
            one.shared,
            "" if one.cosine is None else f"{one.cosine:+.2f}",
            *_spaces(one.written),
            *_spaces(one.read),
        )
        for one in found
    ]
    head = ("block", "shared", "cosine", "writes", "chance", "angle", "reads", "chance", "angle")
    output.table("Both together", head, rows)
    for line in words:
        output.text(line)


def _spaces(one: Spaces | None) -> tuple[str, str, str]:
    if one is None:
        return "", "", ""
    return f"{one.overlap:.2f}", f"{one.chance:.2f}", f"{one.angle:.0f}°"


def _counts(counts: Mapping[str, int]) -> str:
    return ", ".join(f"{name} ({count})" for name, count in counts.items())


def _draw(
    picture: Path,
    names: Sequence[str],
    norms: Sequence[Sequence[BlockNorm]],
    between: Sequence[BlockOverlap],
    words: Sequence[str],
) -> None:
    from sdmerge.analysis import Panel, bars
    from sdmerge.sample.sheet import save

    blocks = [one.block for one in between] or [one.block for one in norms[0]]
    lengths = [{one.block: one.norm for one in each} for each in norms]
    panels = [Panel("norm of the change", [[one.get(name) for name in blocks] for one in lengths])]
    if between:
        written = [one.written.overlap if one.written else None for one in between]
        read = [one.read.overlap if one.read else None for one in between]
        panels += [
            Panel("cosine of both", [[one.cosine for one in between]], 1.0),
            Panel("written features shared", [written], 1.0),
            Panel("read features shared", [read], 1.0),
        ]
    title = f"{' and '.join(names)}, block by block"
    save(bars(panels, blocks, title, names, words), picture)
