"""`sdmerge lora bake` and `unbake`: LoRAs added to a checkpoint, and subtracted again."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import click

from sdmerge.cli.main import Session, output_options
from sdmerge.cli.merge import target_options, write
from sdmerge.cli.recipes import partial_option, plan_of, prune_option, storage_options, stored
from sdmerge.cli.runs.background import background_option
from sdmerge.errors import InputError
from sdmerge.recipe import Recipe, recipe_from_data

_MAIN, _ENCODERS = "re:^(?!text_encoder)", "re:^text_encoder"


def bake_options(command: Any) -> Any:
    """The models, and how much of each LoRA goes where."""
    for option in (
        output_options,
        storage_options,
        prune_option,
        partial_option,
        click.option("--unet", type=float, metavar="FACTOR",
                     help="Factor of all weights in the main network."),
        click.option("--text-encoder", type=float, metavar="FACTOR",
                     help="Factor of all weights in the text encoders."),
        click.option("--block-weights", multiple=True, metavar="LBW",
                     help="12, 17, 20 or 26 numbers with commas between, or a name such as "
                     "OUTALL; given once for all LoRAs, or once for each."),
        target_options,
        click.argument("loras", nargs=-1, required=True, metavar="LORA[:WEIGHT]…"),
        click.argument("model"),
    ):  # fmt: skip
        command = option(command)
    return command


@click.command("bake")
@bake_options
@background_option
@click.pass_obj
def bake_command(
    session: Session, model: str, loras: tuple[str, ...], target: str, **options: Any
) -> None:
    r"""Add LORAs to MODEL, each times its weight (1 if none is given), and write a checkpoint.

    \b
    sdmerge lora bake base.safetensors style.safetensors:0.8 subject.safetensors -o out.safetensors
    sdmerge lora bake base/ style.safetensors --block-weights OUTALL --text-encoder 0.5 -o out/
    """
    planned = _planned(session, bake_recipe(model, loras, options), options)
    write(session, planned, target, options)


@click.command("unbake")
@bake_options
@background_option
@click.pass_obj
def unbake_command(
    session: Session, model: str, loras: tuple[str, ...], target: str, **options: Any
) -> None:
    r"""Subtract LORAs from MODEL, into which they were baked with these weights.

    What the stored dtype rounded away when they were baked does not come back: the result is the
    model from before to within an ulp or two.

    \b
    sdmerge lora unbake baked.safetensors style.safetensors:0.8 -o base.safetensors
    """
    planned = _planned(session, bake_recipe(model, loras, options, sign=-1.0), options)
    _refuse_operators(planned)
    session.output.note(_lost(planned))
    write(session, planned, target, options)


def bake_recipe(model: str, loras: Sequence[str], options: Any, sign: float = 1.0) -> Recipe:
    """The recipe that adds `loras`, each written PATH or PATH:WEIGHT, to `model`."""
    rows = options["block_weights"] or [None]
    if len(rows) not in (1, len(loras)):
        what = f"--block-weights is given {len(rows)} times for {len(loras)} LoRAs"
        raise InputError(what, hint="Give it once for all, or once for each.")
    models: list[dict[str, Any]] = []
    for number, text in enumerate(loras):
        path, weight = split_weight(text)
        value = _value(sign * weight, rows[number % len(rows)], options)
        models.append({"model": path, "parameters": {"weight": value}})
    data = {"merge_method": "task_arithmetic", "base_model": model, "models": models}
    return stored(recipe_from_data(data, "command line"), options)


def split_weight(text: str) -> tuple[str, float]:
    """The path and the weight of `PATH:WEIGHT`; 1 where no number follows the last colon."""
    path, _, number = text.rpartition(":")
    try:
        weight = float(number)
    except ValueError:
        return text, 1.0
    if not path:
        return text, 1.0
    if not math.isfinite(weight):
        raise InputError(f"'{number}' is no weight", where=path, hint="For example :0.8.")
    return path, weight


def _value(weight: float, row: str | None, options: Any) -> Any:
    """The weight as a recipe has it: one for all, or another for the text encoders."""

    def value(factor: float | None) -> Any:
        strength = weight * (1.0 if factor is None else factor)
        return strength if row is None else {"lbw": row, "strength": strength}

    unet, encoder = options["unet"], options["text_encoder"]
    if unet == encoder:
        return value(unet)
    if unet is None:
        return [{"filter": _ENCODERS, "value": value(encoder)}, {"value": value(None)}]
    return [{"filter": _MAIN, "value": value(unet)}, {"value": value(encoder)}]


def _planned(session: Session, recipe: Recipe, options: Any) -> Any:
    """The plan; a checkpoint given as a LoRA would be added as the difference from MODEL."""
    planned = plan_of(
        session, recipe, allow_pickle=options["allow_pickle"], partial=options["partial"]
    )
    for source in planned.sources[1:]:
        if source.space == "weight":
            hint = "Merge checkpoints with `sdmerge merge`, for example --method task_arithmetic."
            raise InputError("is a checkpoint, not a LoRA", where=str(source.path), hint=hint)
    return planned


def _refuse_operators(planned: Any) -> None:
    """What acts on the weight that it finds is no sum, and cannot be taken out of one."""
    from sdmerge.adapters import LoraFile, open_model

    for source in planned.sources[1:]:
        if source.space != "operator":
            continue
        opened = open_model(source.path)
        kinds = ", ".join(opened.kinds) if isinstance(opened, LoraFile) else ""
        what = f"acts on the weights that it finds ({kinds}) and cannot be subtracted again"
        hint = "Only kinds that add to the weights can; keep the checkpoint from before."
        raise InputError(what, where=str(source.path), hint=hint)


def _lost(planned: Any) -> str:
    """What cannot come back, said by the dtypes that MODEL is stored in."""
    specs = planned.sources[0].specs
    dtypes = sorted({specs[task.key].dtype for task in planned.tasks if task.spec.is_float})
    return f"what {', '.join(dtypes)} rounded away when the LoRAs were baked does not come back"
