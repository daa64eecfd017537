"""`sdmerge study best`: the winner as a recipe that merges, shows and samples take."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import click

from sdmerge.cli.main import Session, output_options
from sdmerge.cli.studies import Planner, reopened
from sdmerge.errors import InputError
from sdmerge.recipe import to_yaml


@click.command("best")
@click.argument("folder", type=click.Path(path_type=Path))
@click.option("--allow-pickle", is_flag=True, help="Read .ckpt and .bin with a restricted loader.")
@output_options
@click.pass_obj
def best_command(session: Session, folder: Path, *, allow_pickle: bool) -> None:
    r"""Print the winner of FOLDER's search as a recipe.

    Chosen on the validation prompts by what was searched for; without such prompts it is the
    incumbent of the last generation.

    \b
    sdmerge study best studies/one > winner.yaml && sdmerge merge winner.yaml -o winner.safetensors
    """
    from sdmerge.evolve.ledger import Ledger
    from sdmerge.evolve.run import best

    study = reopened(session, folder, allow_pickle=allow_pickle)
    found = best(Ledger(folder), study.options.objectives)
    if found is None:
        hint = "Let the search finish a generation."
        raise InputError("has no winner yet", where=str(folder), hint=hint)
    candidate, why = found
    recipe = written(session, study.space.fill(candidate), allow_pickle=allow_pickle)
    drawn = {**study.options.sampling, **study.space.sampling(candidate)}
    text = f"# {why} of {folder}\n"
    if drawn:
        text += f"# drawn with {', '.join(f'{name} {one}' for name, one in drawn.items())}\n"
    text += to_yaml(recipe)
    data = {"recipe": text, "candidate": dict(candidate), "why": why, "sampling": drawn}
    session.output.result(data, text.rstrip("\n"), quiet=text.rstrip("\n"))


def written(session: Session, recipe: Any, *, allow_pickle: bool) -> Any:
    """A recipe whose files are found from everywhere, without its grids and searches."""
    from sdmerge.evolve.export.placing import placed

    plain = replace(recipe, grid={}, evolve={})
    plan = Planner(session, allow_pickle=allow_pickle)(plain)
    return placed(plan, Path.cwd())
