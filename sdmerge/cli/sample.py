"""`sdmerge sample`: pictures of models and recipes, side by side."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import click

from sdmerge.cli.drawing import (
    drawer_of,
    drawing_options,
    inversions_of,
    live_of,
    recipe_of,
    sampling_of,
    say_suited,
)
from sdmerge.cli.main import Session, output_options
from sdmerge.cli.recipes import check_picture, plan_of
from sdmerge.cli.runs.background import background_option
from sdmerge.errors import InputError
from sdmerge.sample.settings import Sampling


@click.command("sample")
@click.argument("models", nargs=-1, required=True, metavar="MODEL|RECIPE…")
@click.option(
    "-p",
    "--prompt",
    "prompts",
    multiple=True,
    required=True,
    help="A prompt, or @FILE with one per line; may be repeated.",
)
@click.option(
    "-o",
    "--output",
    "target",
    type=click.Path(path_type=Path, dir_okay=False),
    required=True,
    help="The picture to write, NAME.png.",
)
@drawing_options
@output_options
@background_option
@click.pass_obj
def sample_command(session: Session, models: tuple[str, ...], target: Path, **options: Any) -> None:
    r"""Draw the prompts with each MODEL or RECIPE, a row each, from the same noise.

    \b
    sdmerge sample a.safetensors b/ recipe.yaml -p "a castle" -p @prompts.txt -o sheet.png
    """
    check_picture(target, force=options["force"])
    from sdmerge.sample.sheet import save, sheet

    prompts, sampling = _prompts(options["prompts"]), sampling_of(options)
    inversions = inversions_of(options)
    plans = [
        plan_of(
            session,
            recipe_of(model, options["settings"], options["loras"]),
            allow_pickle=options["allow_pickle"],
        )
        for model in models
    ]
    labels = [Path(model.rstrip("/\\")).stem for model in models]
    shots = [(prompt, options["seed"] + n) for prompt in prompts for n in range(options["seeds"])]
    rows = _draw(session, [*zip(labels, plans, strict=True)], shots, sampling, inversions)
    save(sheet(rows, labels, [text for text, _ in shots]), target)
    session.output.result(
        {"path": str(target), "models": list(models), "prompts": prompts},
        f"wrote {target}",
        quiet=str(target),
    )


def _draw(
    session: Session,
    plans: Sequence[tuple[str, Any]],
    shots: list[tuple[str, int]],
    sampling: Sampling,
    inversions: Sequence[Any],
) -> list[list[Any]]:
    """A row of pictures per plan, a picture per (prompt, seed)."""
    from sdmerge.sample.draw import Shot

    wanted = [Shot(prompt, seed, sampling) for prompt, seed in shots]
    rows: list[list[Any]] = []
    with live_of(session) as live:
        drawer = drawer_of(session, live, inversions)
        for number, (label, plan) in enumerate(plans, 1):
            session.output.note(f"{number} of {len(plans)}: {label}")
            live.show(plan, cancel=session.cancel)
            say_suited(session, drawer.suited, sampling)
            drawn = drawer.draw(wanted, cancel=session.cancel)
            rows.append([picture.image for picture in drawn])
    return rows


def _prompts(given: tuple[str, ...]) -> list[str]:
    prompts: list[str] = []
    for text in given:
        if not text.startswith("@"):
            prompts.append(text)
            continue
        path = Path(text[1:])
        if not path.is_file():
            raise InputError("there is no such file of prompts", where=str(path))
        prompts += [line for line in path.read_text("utf-8").splitlines() if line.strip()]
    if not prompts:
        raise InputError("there is no prompt")
    return prompts
