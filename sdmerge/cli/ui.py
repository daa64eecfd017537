"""`sdmerge ui`: the app in a browser."""

from __future__ import annotations

import contextlib
import os
import threading
from dataclasses import replace

import click

from sdmerge.cli.main import Session, output_options
from sdmerge.errors import SdmergeError
from sdmerge.jobs import Jobs
from sdmerge.workspace import VARIABLE


@click.command("ui")
@click.option("--port", type=click.IntRange(0, 65535), default=7860, show_default=True,
              help="Where it listens; 0 takes a free one.")  # fmt: skip
@click.option("--listen", is_flag=True, help="Answer other machines too; needs --auth.")
@click.option("--auth", default="", metavar="USER:PASSWORD", help="Ask for a name and a password.")
@click.option("--mcp", is_flag=True, help="Offer the eight functions to MCP clients.")
@click.option("--allow-pickle", is_flag=True, help="Read .ckpt and .bin with a restricted loader.")
@click.option("--demo", is_flag=True,
              help="First put the samples' recipes, grid and study in place.")  # fmt: skip
@output_options
@click.pass_obj
def ui_command(
    session: Session,
    *,
    port: int,
    listen: bool,
    auth: str,
    mcp: bool,
    allow_pickle: bool,
    demo: bool,
) -> None:
    """Open the app: a page at 127.0.0.1 that merges, compares and searches.

    Models come from the workspace and from what --models names; results may go, beside the
    workspace, to what --save-to names (both before `ui`). With --demo the workspace is out/demo in
    the clone, unless another one is named.
    """
    from sdmerge_ui.settings import Settings, check

    settings = Settings(port, listen, auth, mcp)
    check(settings)
    if demo:
        _lay_out(session)
    # while the page is put together, its pictures' libraries are loaded
    threading.Thread(target=_warm, args=(session,), daemon=True, name="sdmerge-warm").start()
    from sdmerge_ui.place import Place
    from sdmerge_ui.server import Server

    place = Place(
        session.workspace, session.device, allow_pickle=allow_pickle, plugins=session.plugins
    )

    server = Server(place, settings)
    session.output.note(f"sdmerge is at {server.address} (workspace {session.workspace.folder})")
    session.output.note("Ctrl-C ends it; jobs that run go on.")
    session.output.result({"address": server.address}, quiet=server.address)
    server.run()


def _lay_out(session: Session) -> None:
    """The demo in the workspace that was named, else in one of its own."""
    from sdmerge.demo import FOLDER, lay_out

    named = click.get_current_context().find_root().params["workspace"] or os.environ.get(VARIABLE)
    if not named:
        session.workspace = replace(session.workspace, folder=FOLDER)
    lay_out(session.workspace)


def _warm(session: Session) -> None:
    with contextlib.suppress(SdmergeError, OSError):
        Jobs(session.workspace).warm(session.device)
