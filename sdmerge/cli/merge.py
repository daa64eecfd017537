"""`sdmerge merge`: a recipe or a few models become a file or a folder."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import click

from sdmerge.cli.batch import is_batch, run_batch, sweep_option
from sdmerge.cli.fits import FitLogs
from sdmerge.cli.losses import loss_data, print_loss
from sdmerge.cli.main import Session, output_options
from sdmerge.cli.plan import print_report, report_data
from sdmerge.cli.recipes import (
    RecipeCommand,
    plan_of,
    probe,
    prune_option,
    read_recipe,
    recipe_options,
)
from sdmerge.cli.runs.background import background_flag, submit_this
from sdmerge.errors import InputError
from sdmerge.targets import find_target, kinds_of


def target_options(command: Any) -> Any:
    """The options that say where and how a result is written."""
    for option in (
        click.option(
            "-o",
            "--output",
            "target",
            required=True,
            help="NAME.safetensors, or a folder; HOST:NAME goes to a place named with --save-to.",
        ),
        click.option(
            "--layout",
            type=click.Choice(["diffusers", "single-file", "lora"]),
            help="How it is stored; by default as -o ends.",
        ),
        click.option("--force", is_flag=True, help="Replace what is there."),
        click.option(
            "--max-shard-size", default="10GB", show_default=True, help="Largest file in a folder."
        ),
        click.option("--threads", type=click.IntRange(1), help="Tensors at work at once."),
    ):
        command = option(command)
    return command


@click.command("merge", cls=RecipeCommand)
@click.argument("recipe", nargs=-1, required=True)
@target_options
@recipe_options
@sweep_option
@prune_option
@output_options
@background_flag
@click.pass_obj
def merge_command(session: Session, recipe: tuple[str, ...], target: str, **options: Any) -> None:
    r"""Merge by RECIPE (a .yaml file), or ad hoc: MODEL MODEL… --method NAME.

    Several recipes, or --sweep, are several merges, which -o names by their values.

    \b
    sdmerge merge recipes/first.yaml -o out/first.safetensors
    sdmerge merge a.safetensors b.safetensors --method slerp --t 0.3 -o out/ab/
    sdmerge merge a.yaml b.yaml --sweep t=0:1:0.25 -o 'out/{name}-{method}-{t}.safetensors'
    """
    if is_batch(recipe, options["sweep"]):
        run_batch(
            session, recipe, target, options,
            lead=lambda planned, to: target_of(session, planned, to),
            write=lambda planned, to: written(session, planned, to, options),
        )  # fmt: skip
    elif options["background"]:
        submit_this(session, options["settings"])
    else:
        read = read_recipe(recipe, options)
        planned = plan_of(
            session, read, allow_pickle=options["allow_pickle"], partial=options["partial"]
        )
        write(session, planned, target, options)


def write(session: Session, planned: Any, target: str, options: Mapping[str, Any]) -> None:
    """Run `planned` into `target`, with progress, and print what came of it."""
    data = written(session, planned, target, options)
    session.output.result(data, f"wrote {data['path']}", quiet=data["path"])


def written(
    session: Session, planned: Any, target: str, options: Mapping[str, Any]
) -> dict[str, Any]:
    """The same, told as data, but for the last line."""
    from sdmerge.merge import run

    layout = planned.recipe.output.layout
    shard_size = options.get("max_shard_size", "")
    path = str(target_of(session, planned, target))
    sink = open_sink(path, layout, force=options["force"], shard_size=shard_size)
    data = report_data(planned)
    with session.output.progress("merging") as advance:
        logs = FitLogs(advance)
        run(planned, sink, threads=options["threads"], progress=logs.take, probe=probe)
    data |= {"fits": logs.kept} if logs.kept else {}
    told = {"path": str(sink.path), "tensor_hash": getattr(sink, "tensor_hash", None), **data}
    print_report(session.output, data)
    logs.show(session.output)
    if layout == "lora":
        loss = loss_data(sink)
        print_loss(session.output, loss)
        told |= loss
    return told


def target_of(session: Session, planned: Any, target: str) -> Path:
    """The path that `-o` means for a plan's result."""
    layout, keys = planned.recipe.output.layout, (task.key for task in planned.tasks)
    kinds = kinds_of(layout, keys, folder=layout == "diffusers" or not _is_file(target))
    return find_target(session.workspace, target, *kinds)


def _is_file(target: str) -> bool:
    return target.lower().endswith((".safetensors", ".sft"))


def open_sink(target: str, layout: str | None, *, force: bool, shard_size: str) -> Any:
    """The sink that `-o` means: by its ending a file or a folder; the layout must agree."""
    from sdmerge.sinks import FileSink, FolderSink, LoraSink

    if layout == "lora":
        return LoraSink(Path(target), force=force)
    single = _is_file(target)
    if layout is not None and (layout == "single-file") != single:
        wanted = "NAME.safetensors" if layout == "single-file" else "a folder"
        raise InputError(
            f"layout {layout} writes {wanted}, not '{target}'", hint="Change -o or the layout."
        )
    if single:
        return FileSink(Path(target), force=force)
    if Path(target).suffix.lower() in (".ckpt", ".pt", ".pth", ".bin"):
        hint = "Write NAME.safetensors, which every tool reads and nobody has to trust."
        raise InputError("pickles are not written", where=target, hint=hint)
    return FolderSink(Path(target), force=force, shard_size=shard_size)
