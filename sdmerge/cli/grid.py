"""`sdmerge grid`: sweep values, line up models, prompts and seeds, in one folder of pictures."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import asdict
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
)
from sdmerge.cli.grids import open_page, write_sheet
from sdmerge.cli.main import Session, output_options
from sdmerge.cli.recipes import check_picture, plan_of
from sdmerge.cli.runs.background import background_option
from sdmerge.cli.score import check_needs, open_scorers
from sdmerge.errors import Cancelled, InputError, ScorerError
from sdmerge.sample.grid import Grid, create, read_cells
from sdmerge.sample.settings import SAMPLING, Sampling
from sdmerge.sample.sweep.axis import Part, Side, models_axis, prompts_axis, read_axis, seeds_axis
from sdmerge.sample.sweep.cells import Spot, arranged, spots
from sdmerge.sample.sweep.defaults import AXES, Defaults, read_defaults
from sdmerge.scoring.choice import Choice, parse_choice
from sdmerge.scoring.prompts import Line, read_prompts
from sdmerge.scoring.spec import scorer_manifest

_AXIS = "PATH=start:stop:step, PATH=a,b,c or PATH=@FILE"


@click.command("grid")
@click.argument("models", nargs=-1, required=True, metavar="MODEL|RECIPE…")
@click.option("--x", metavar="AXIS", help=f"What varies from left to right: {_AXIS}.")
@click.option("--y", metavar="AXIS", help="What varies from top to bottom.")
@click.option("--z", metavar="AXIS", help="What varies from table to table.")
@click.option("-p", "--prompt", "prompts", multiple=True,
              help="A prompt, or @FILE with one per line or JSONL; may be repeated.")  # fmt: skip
@click.option("-o", "--output", "target", type=click.Path(path_type=Path), required=True,
              help="The folder; one with this grid in it is continued.")  # fmt: skip
@click.option("--score", "scorers", multiple=True, metavar="SCORER[,NAME=VALUE…]",
              help="Score every picture; may be repeated.")  # fmt: skip
@click.option("--batch", default=8, show_default=True, type=click.IntRange(1),
              help="Pictures drawn and scored at once.")  # fmt: skip
@click.option("--format", "suffix", type=click.Choice(["png", "webp"]), default="png",
              show_default=True, help="How pictures are stored; both without loss.")  # fmt: skip
@click.option("--sheet", type=click.Path(path_type=Path, dir_okay=False),
              help="Write the grid as one picture too, NAME.png.")  # fmt: skip
@click.option("--open", "browse", is_flag=True, help="Open the grid in the browser.")
@click.option("--trust-remote-code", is_flag=True,
              help="Let a scorer's model run Python code that it brings.")  # fmt: skip
@drawing_options
@output_options
@background_option
@click.pass_obj
def grid_command(session: Session, models: tuple[str, ...], target: Path, **options: Any) -> None:
    r"""Draw MODELs and RECIPEs over axes of values, prompts, seeds and sampler settings.

    An axis addresses a value of the recipe as --set does, or is model, prompt, seed, size or a
    sampler's setting. Several models, prompts and seeds are axes by themselves. Every recipe is
    merged once; what the folder has already is not drawn again.

    \b
    sdmerge grid recipe.yaml --x parameters.t=0:1:0.25 --y prompt=@prompts.txt -o grids/t
    sdmerge grid a/ b.safetensors soup.yaml -p "a castle" --seeds 4 --score clip -o grids/parents
    """
    if options["sheet"]:
        check_picture(options["sheet"], force=options["force"])
    choices = [parse_choice(text) for text in options["scorers"]]
    sides, cells = _asked(models, options)
    check_needs(choices, [cell.line for cell in cells])
    _refuse_lone(choices, sides)
    grid = _described(models, sides, cells, options)
    from sdmerge.sample.sweep.folder import check_folder, claimed, clear_other

    check_folder(target, grid, force=options["force"])
    with live_of(session) as live:
        tools, sweep = _prepared(session, live, grid, sides, cells, options=options)
        with claimed(target):
            check_folder(target, grid, force=options["force"])
            clear_other(target, grid)
            create(target, grid)
            done = _drawn(session, sweep, target, tools(choices))
    _finish(session, target, done, options)


def _asked(
    models: Sequence[str], options: Mapping[str, Any]
) -> tuple[tuple[Side, ...], list[Spot]]:
    """The axes in order, and every cell."""
    single = recipe_of(models[0], options["settings"]) if len(models) == 1 else None
    defaults = read_defaults(single) if single else Defaults()
    folders = [single.folder] if single and single.folder else []
    seeds = _seeds(options, defaults)
    lines = _lines(options["prompts"])
    implied = [seeds_axis(seeds, "--seeds"), models_axis(models, "a second model")]
    implied += [prompts_axis(lines, "-p")] if lines else []
    by_name = {side.axis.path: side for side in implied}
    placed = [
        _axis(name, options[name] or defaults.axes.get(name), by_name,
              [] if options[name] else folders)
        for name in AXES
    ]  # fmt: skip
    given = _given(sampling_of(options))
    _refuse_doubles([side for side in placed if side], by_name, given)
    sides = arranged(
        placed, [by_name[one] for one in ("prompt", "model", "seed") if one in by_name]
    )
    start = Part(
        model=models[0],
        sampling={**defaults.sampling, **given},
        line=lines[0] if lines else None,
        seed=seeds[0],
    )
    return sides, spots(sides, start)


def _axis(
    name: str, text: str | None, implied: Mapping[str, Side], folders: Sequence[Path]
) -> Side | None:
    """The axis of an option; the word prompt, model or seed alone says where that axis goes."""
    if text is None:
        return None
    return implied.get(text) or read_axis(text, f"--{name} {text}", folders)


def _refuse_doubles(
    placed: Sequence[Side], implied: Mapping[str, Side], given: Mapping[str, Any]
) -> None:
    """Nothing unless an axis varies what an option fixes, too."""
    for side in placed:
        other = implied.get(side.axis.path)
        fixed = [f"--{name.replace('_', '-')}" for name in side.parts[0].sampling if name in given]
        if other is not None and other is not side:
            prompts, several = side.axis.path == "prompt", len(other.parts) > 1
            fixed += [other.where or side.axis.path] if prompts or several else []
        if fixed:
            what = f"{fixed[0]} is given beside an axis that varies it"
            raise InputError(what, where=side.where, hint="Keep one of them.")


def _seeds(options: Mapping[str, Any], defaults: Defaults) -> range:
    context = click.get_current_context()
    usual = click.core.ParameterSource.DEFAULT

    def value(name: str, default: int) -> int:
        given = context.get_parameter_source(name) is not usual
        return int(options[name]) if given else default

    start = value("seed", defaults.seed)
    return range(start, start + value("seeds", defaults.seeds))


def _lines(given: Sequence[str]) -> list[Line]:
    lines: list[Line] = []
    for text in given:
        lines += read_prompts(Path(text[1:])) if text.startswith("@") else [Line(text, text)]
    return lines


def _given(sampling: Sampling) -> dict[str, Any]:
    usual = asdict(Sampling())
    return {name: value for name, value in asdict(sampling).items() if value != usual[name]}


def _refuse_lone(choices: Sequence[Choice], sides: Sequence[Side]) -> None:
    """Nothing unless a scorer compares pictures by seeds and there is one seed."""
    known = scorer_manifest()
    sets = [one.scorer for one in choices if one.scorer in known and known[one.scorer].of == "set"]
    several = any(side.axis.path == "seed" and len(side.parts) > 1 for side in sides)
    if sets and not several:
        hint = "Draw --seeds 2 or more."
        raise ScorerError(f"{sets[0]} compares the pictures of one prompt", hint=hint)


def _described(
    models: Sequence[str], sides: Sequence[Side], cells: Sequence[Spot], options: Mapping[str, Any]
) -> Grid:
    from sdmerge.sample.sweep.variants import recipe_text

    on_axes = {name for side in sides for part in side.parts for name in part.sampling}
    settings = {k: v for k, v in _given(cells[0].sampling).items() if k not in on_axes}
    assert set(settings) <= set(SAMPLING)
    names = ", ".join(path.name for path in options["embeddings"])
    settings |= {"embeddings": names} if names else {}
    varied = any(side.axis.path == "model" for side in sides)
    first = recipe_of(models[0], options["settings"], options["loras"])
    recipe = "" if varied else recipe_text(first)
    title = " · ".join(Path(model.rstrip("/\\")).stem for model in models)
    return Grid(tuple(side.axis for side in sides), title, recipe, settings)


def _prepared(
    session: Session,
    live: Any,
    grid: Grid,
    sides: Sequence[Side],
    cells: Sequence[Spot],
    *,
    options: Mapping[str, Any],
) -> tuple[Any, Any]:
    """Plans of every recipe, and what draws and scores."""
    from sdmerge.sample.sweep.draw import Sweep, Tools
    from sdmerge.sample.sweep.variants import variants

    inversions = inversions_of(options)
    words = "".join(
        hashlib.sha256(path.read_bytes()).hexdigest()[:16] for path in options["embeddings"]
    )
    found = variants(
        cells, sides,
        lambda model, own: recipe_of(model, (*options["settings"], *own), options["loras"]),
        lambda recipe: plan_of(
            session, recipe, allow_pickle=options["allow_pickle"], opened=live.opened
        ),
    )  # fmt: skip
    session.output.note(f"{len(cells)} cells of {len(found)} recipes")

    def tools(choices: Sequence[Choice]) -> Tools:
        drawer = drawer_of(session, live, inversions)
        panel = open_scorers(session, choices, options) if choices else None
        return Tools(live, drawer, panel, options["batch"], f".{options['suffix']}")

    return tools, Sweep(grid, tuple(found), words)


def _drawn(session: Session, sweep: Any, target: Path, tools: Any) -> Any:
    from sdmerge.sample.sweep.draw import draw_sweep

    try:
        with session.output.progress("drawing", pieces="cells") as advance:
            return draw_sweep(sweep, target, tools, told=advance, cancel=session.cancel)
    except (KeyboardInterrupt, Cancelled):
        there = len(read_cells(target))
        hint = "The same command draws the rest."
        raise Cancelled(f"stopped; {there} of {sweep.count} cells are there", hint=hint) from None


def _finish(session: Session, target: Path, done: Any, options: Mapping[str, Any]) -> None:
    from sdmerge.sample.viewer import write_page

    page = write_page(target)
    if options["sheet"]:
        write_sheet(session, target, options["sheet"], 256)
    if options["browse"]:
        open_page(session, page.resolve().as_uri())
    data = {"path": str(target), "page": str(page), **asdict(done)}
    text = f"{target}: {done.drawn} cells drawn, {done.kept} were there, {done.merged} merges"
    session.output.result(data, text, quiet=str(target))
