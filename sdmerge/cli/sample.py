"""`sdmerge sample`: pictures of models and recipes, side by side."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from sdmerge.cli.main import Session, output_options
from sdmerge.cli.recipes import check_picture, is_recipe, plan_of
from sdmerge.errors import InputError
from sdmerge.recipe import Recipe, load_recipe, recipe_from_data


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
@click.option("--seed", default=0, show_default=True, help="First seed.")
@click.option(
    "--seeds", default=1, show_default=True, type=click.IntRange(1), help="Pictures per prompt."
)
@click.option(
    "--steps", default=25, show_default=True, type=click.IntRange(1), help="Denoising steps."
)
@click.option("--guidance", default=7.5, show_default=True, help="Classifier-free guidance.")
@click.option("--negative", default="", help="What the pictures should not show.")
@click.option("--size", help="WIDTHxHEIGHT in pixels; by default the model's own.")
@click.option(
    "--set", "settings", multiple=True, metavar="PATH=VALUE", help="Change a value of every recipe."
)
@click.option("--force", is_flag=True, help="Replace what is there.")
@click.option("--allow-pickle", is_flag=True, help="Read .ckpt and .bin with a restricted loader.")
@output_options
@click.pass_obj
def sample_command(session: Session, models: tuple[str, ...], target: Path, **options: Any) -> None:
    r"""Draw the prompts with each MODEL or RECIPE, a row each, from the same noise.

    \b
    sdmerge sample a.safetensors b/ recipe.yaml -p "a castle" -p @prompts.txt -o sheet.png
    """
    check_picture(target, force=options["force"])
    from sdmerge.sample.sheet import save, sheet

    prompts = _prompts(options["prompts"])
    plans = [
        plan_of(session, _recipe(model, options["settings"]), allow_pickle=options["allow_pickle"])
        for model in models
    ]
    labels = [Path(model.rstrip("/\\")).stem for model in models]
    shots = [(prompt, options["seed"] + n) for prompt in prompts for n in range(options["seeds"])]
    save(
        sheet(_draw(session, plans, labels, shots, options), labels, [text for text, _ in shots]),
        target,
    )
    session.output.result(
        {"path": str(target), "models": list(models), "prompts": prompts},
        f"wrote {target}",
        quiet=str(target),
    )


def _draw(
    session: Session,
    plans: list[Any],
    labels: list[str],
    shots: list[tuple[str, int]],
    options: dict[str, Any],
) -> list[list[Any]]:
    """A row of pictures per plan, a picture per (prompt, seed)."""
    from sdmerge.sample.draw import Sampling, Shot, draw
    from sdmerge.sample.pipeline import build_pipeline
    from sdmerge.sample.probe import pipelines

    width, height = _size(options["size"])
    sampling = Sampling(options["steps"], options["guidance"], options["negative"], width, height)
    wanted = [Shot(prompt, seed) for prompt, seed in shots]
    rows: list[list[Any]] = []
    for number, (plan, label) in enumerate(zip(plans, labels, strict=True), 1):
        session.output.note(f"{number} of {len(plans)}: {label}")
        rows.append(
            list(
                draw(build_pipeline(plan, device=session.device, probe=pipelines), wanted, sampling)
            )
        )
    return rows


def _recipe(model: str, settings: tuple[str, ...]) -> Recipe:
    """A recipe file, or a model as it is."""
    if is_recipe(model):
        return load_recipe(Path(model), settings)
    return recipe_from_data({"merge_method": "linear", "models": [{"model": model}]}, model)


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


def _size(text: str | None) -> tuple[int | None, int | None]:
    if text is None:
        return None, None
    parts = text.lower().split("x")
    if len(parts) != 2 or not all(_is_side(part) for part in parts):
        raise InputError(
            f"'{text}' is not a size", hint="Write it like 512x768, in multiples of 8."
        )
    return int(parts[0]), int(parts[1])


def _is_side(text: str) -> bool:
    return text.isdecimal() and int(text) > 0 and int(text) % 8 == 0
