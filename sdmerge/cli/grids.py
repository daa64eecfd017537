"""`sdmerge view` and `sdmerge vote`: look at a grid of pictures, and say which are better."""

from __future__ import annotations

import dataclasses
import webbrowser
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from sdmerge.cli.main import Session, output_options
from sdmerge.cli.recipes import check_picture
from sdmerge.errors import InputError

if TYPE_CHECKING:
    from sdmerge.votes import Ranking

_GRID = click.Path(path_type=Path, exists=True, file_okay=False)


@click.command("view")
@click.argument("grid", type=_GRID)
@click.option(
    "--export",
    "target",
    type=click.Path(path_type=Path),
    help="Write a copy to send: a folder, or NAME.html with all pictures inside.",
)
@click.option(
    "--sheet",
    "picture",
    type=click.Path(path_type=Path, dir_okay=False),
    help="Write the grid as one picture, NAME.png.",
)
@click.option(
    "--width",
    default=256,
    show_default=True,
    type=click.IntRange(16),
    help="Pixels; wider pictures are made smaller on the sheet.",
)
@click.option("--no-open", is_flag=True, help="Write the page, and do not open a browser.")
@click.option("--force", is_flag=True, help="Replace what is there.")
@output_options
@click.pass_obj
def view_command(session: Session, grid: Path, **options: Any) -> None:
    r"""Open GRID, a folder that `sdmerge grid` wrote, in the browser; or export it.

    \b
    sdmerge view grids/sweep
    sdmerge view grids/sweep --export sweep.html
    sdmerge view grids/sweep --sheet sweep.png
    """
    from sdmerge.sample.viewer import export, write_page

    target, picture = options["target"], options["picture"]
    if picture:
        check_picture(picture, force=options["force"])
    wrote: list[Path] = []
    if target:
        single = target.suffix.lower() in (".html", ".htm")
        wrote.append(export(grid, target, single_file=single, force=options["force"]))
    if picture:
        write_sheet(session, grid, picture, options["width"])
        wrote.append(picture)
    if not wrote:
        wrote.append(write_page(grid))
        if not options["no_open"]:
            open_page(session, wrote[0].resolve().as_uri())
    paths = [str(path) for path in wrote]
    session.output.result({"paths": paths}, f"wrote {' and '.join(paths)}", quiet="\n".join(paths))


def write_sheet(session: Session, grid: Path, picture: Path, width: int) -> None:
    """Write the grid as one picture, and say what of its labels could not be drawn."""
    from sdmerge.sample.contact import contact_sheet
    from sdmerge.sample.sheet import save

    contact = contact_sheet(grid, width=width)
    for note in contact.notes:
        session.output.note(note)
    save(contact.image, picture)


def open_page(session: Session, address: str) -> None:
    """Open the page in the browser, or say where it is."""
    if not webbrowser.open(address):
        session.output.note(f"no browser could be started; open {address}")


@click.command("vote")
@click.argument("grid", type=_GRID)
@click.option("--rank", "only_rank", is_flag=True, help="Print the ranking, and ask nothing.")
@click.option("--by", metavar="AXIS|recipe", help="What is ranked; by default what was voted on.")
@click.option(
    "--add",
    "others",
    type=click.Path(path_type=Path, dir_okay=False, exists=True),
    multiple=True,
    help="Add the votes.jsonl that someone sent you; may be repeated.",
)
@click.option("--no-open", is_flag=True, help="Print the page's address; do not open a browser.")
@output_options
@click.pass_obj
def vote_command(session: Session, grid: Path, **options: Any) -> None:
    r"""Ask blindly which of two pictures of GRID is better, and rank what was compared.

    Pairs are asked for where the ranking is least certain. Votes go to votes.jsonl in GRID.

    \b
    sdmerge vote grids/sweep
    sdmerge vote grids/sweep --add friend/votes.jsonl --rank
    """
    from sdmerge.sample.grid import read_cells, read_grid
    from sdmerge.votes import add_votes, rank
    from sdmerge.votes.ledger import read_lines

    if options["by"] and options["by"] != "recipe":
        read_grid(grid).axis(options["by"])
    for path in options["others"]:
        count = add_votes(grid, read_lines(path), str(path))
        session.output.note(f"{path}: {count} new lines")
    if not options["only_rank"] and not options["others"]:
        if len(read_cells(grid)) < 2:
            raise InputError("has fewer than two pictures", where=str(grid))
        _ask(session, grid, browse=not options["no_open"])
    _print(session, rank(grid, options["by"]))


def _ask(session: Session, grid: Path, *, browse: bool) -> None:
    """Serve the page until ctrl-C."""
    from sdmerge.votes.server import VoteServer

    with VoteServer(grid) as server:
        session.output.note(f"voting at {server.url}\nctrl-C ends it and prints the ranking")
        if browse:
            open_page(session, server.url)
        try:
            server.serve_forever()
        except KeyboardInterrupt:
            session.output.note("")


def _print(session: Session, ranking: Ranking) -> None:
    rows = [
        (place, one.label, one.votes, f"{one.rate:.0%} ({one.low:.0%}–{one.high:.0%})")
        for place, one in enumerate(ranking.standings, 1)
    ]
    session.output.table("", ("", ranking.by, "votes", "beats the others (95 %)"), rows)
    best = ranking.standings[0].label
    verdict = f"settled: {best} is best" if ranking.settled else "not settled yet"
    session.output.result(
        dataclasses.asdict(ranking),
        f"{ranking.votes} votes that tell; {verdict}",
        quiet="\n".join(one.label for one in ranking.standings),
    )
