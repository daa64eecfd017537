"""`sdmerge ui`: the app in a browser."""

from __future__ import annotations

import click

from sdmerge.cli.main import Session, output_options


@click.command("ui")
@click.option("--port", type=click.IntRange(0, 65535), default=7860, show_default=True,
              help="Where it listens; 0 takes a free one.")  # fmt: skip
@click.option("--listen", is_flag=True, help="Answer other machines too; needs --auth.")
@click.option("--auth", default="", metavar="USER:PASSWORD", help="Ask for a name and a password.")
@click.option("--mcp", is_flag=True, help="Offer the eight functions to MCP clients.")
@click.option("--allow-pickle", is_flag=True, help="Read .ckpt and .bin with a restricted loader.")
@output_options
@click.pass_obj
def ui_command(
    session: Session, *, port: int, listen: bool, auth: str, mcp: bool, allow_pickle: bool
) -> None:
    """Open the app: a page at 127.0.0.1 that merges, compares and searches.

    Models come from the workspace and from what --models names; results may go, beside the
    workspace, to what --save-to names (both before `ui`).
    """
    from sdmerge_ui.place import Place
    from sdmerge_ui.server import Server, Settings, check

    settings = Settings(port, listen, auth, mcp)
    check(settings)
    place = Place(
        session.workspace, session.device, allow_pickle=allow_pickle, plugins=session.plugins
    )

    server = Server(place, settings)
    session.output.note(f"sdmerge is at {server.address} (workspace {session.workspace.folder})")
    session.output.note("Ctrl-C ends it; jobs that run go on.")
    session.output.result({"address": server.address}, quiet=server.address)
    server.run()
