"""`sdmerge study add`: a recipe of one's own, judged beside the next candidates."""

from __future__ import annotations

from pathlib import Path

import click

from sdmerge.cli.main import Session, output_options
from sdmerge.cli.recipes import recipe_in
from sdmerge.cli.studies import Planner, reopened


@click.command("add")
@click.argument("folder", type=click.Path(path_type=Path))
@click.argument("recipe", type=click.Path(path_type=Path, dir_okay=False))
@click.option("--allow-pickle", is_flag=True, help="Read .ckpt and .bin with a restricted loader.")
@output_options
@click.pass_obj
def add_command(session: Session, folder: Path, recipe: Path, *, allow_pickle: bool) -> None:
    r"""Have RECIPE judged beside the next batch of candidates of FOLDER's search.

    The search may be at work meanwhile; if it is not, RECIPE waits until it goes on. The engine is
    not told of it. It becomes the best so far if it scores best and the search could have asked
    it; any other recipe is compared with, and shown.

    \b
    sdmerge study add studies/one mine.yaml
    """
    from sdmerge.evolve.run.suggesting import suggest

    study = reopened(session, folder, allow_pickle=allow_pickle)
    planner = Planner(session, allow_pickle=allow_pickle)
    found = suggest(folder, study, recipe.stem, recipe_in(recipe, ()), planner)
    could = found.candidate is not None
    why = "it may become the best" if could else "outside of what is searched: only compared with"
    text = f"{found.name}: added to {folder}; {why}"
    data = {"path": str(folder), "name": found.name, "in_space": could}
    session.output.result(data, text, quiet=found.name)
