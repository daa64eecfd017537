"""The `sdmerge` command: options, exit codes, and commands that load when they are called."""

from __future__ import annotations

import sys
import threading
import traceback
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from importlib.metadata import entry_points
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from sdmerge.cli.explain import explained
from sdmerge.cli.lazy import LazyGroup
from sdmerge.cli.output import Mode, Output
from sdmerge.workspace import Workspace, find_workspace

if TYPE_CHECKING:
    from sdmerge.jobs.studio import Studio
    from sdmerge.recipe import Recipe

COMMANDS = {
    "inspect": ("inspect", "Say what model files are."),
    "methods": ("catalogue", "List the merge methods, or explain one."),
    "families": ("catalogue", "List the model families, or explain one."),
    "scorers": ("catalogue", "List the scorers, or explain one."),
    "engines": ("catalogue", "List the engines of a search, or explain one."),
    "plan": ("plan", "Say what a recipe would do; --analyse compares its models."),
    "merge": ("merge", "Merge models by a recipe, or ad hoc."),
    "show": ("results", "Print the recipe a result was made by."),
    "verify": ("results", "Merge again in memory and name every tensor that differs."),
    "convert": ("convert", "Store a model in another layout or dtype."),
    "lora": ("lora", "Bake, convert, inspect and resize LoRAs."),
    "embedding": ("embedding", "Merge textual inversions."),
    "sample": ("sample", "Draw pictures with models or recipes, side by side."),
    "grid": ("grid", "Draw a grid: parameters, models, prompts, seeds, samplers."),
    "evolve": ("evolve", "Search for the recipe whose pictures score best."),
    "study": ("study", "Look at a study and work on it: show, best, add, ask, tell."),
    "score": ("score", "Score models, recipes or pictures, with the noise of each number."),
    "view": ("grids", "Look at a grid of pictures, or export it."),
    "vote": ("grids", "Ask which of two pictures is better, and rank what was compared."),
    "ui": ("ui", "Open the app in a browser."),
    "runs": ("runs", "What was run, runs and waits: list, follow, stop, clean up."),
}

EXPECTED = (click.ClickException, click.Abort, KeyboardInterrupt)
"""What people do, beside what our own errors say: nothing to trace."""


@dataclass
class Session:
    """What the global options say; every command receives it."""

    output: Output = field(default_factory=Output)
    workspace: Workspace = field(default_factory=find_workspace)
    device: str = "cpu"
    debug: bool = False
    plugins: tuple[Path, ...] = ()
    arguments: tuple[str, ...] = ()
    """The command and what follows it, as given."""
    cancel: threading.Event = field(default_factory=threading.Event)
    """Asks a command that draws to stop; others are stopped as by ctrl-C."""
    studio: Studio | None = None
    """What keeps a pipeline from one command to the next, in a process that has one."""
    recipes: Mapping[Path, str] = field(default_factory=dict[Path, str])
    """Recipe files as they were when the command was put off; others are read."""
    again: bool = False
    """Whether the command was begun before, as a job: what it left then is gone on with."""
    planned: Callable[[Recipe], None] | None = None
    """Is told of every recipe that is planned."""


def _mode(ctx: click.Context, param: click.Parameter, value: Any) -> None:
    if value:
        mode: Mode = "json" if param.name == "json" else "quiet"
        ctx.ensure_object(Session).output.mode = mode


def _debug(ctx: click.Context, param: click.Parameter, value: Any) -> None:
    if value:
        ctx.ensure_object(Session).debug = True


def output_options(command: Any) -> Any:
    """`--json`, `-q` and `--debug`, which may stand before or after the command's name."""
    for option in (
        click.option("--json", is_flag=True, expose_value=False, callback=_mode, is_eager=True,
                     help="Print the result as JSON."),
        click.option("-q", "--quiet", is_flag=True, expose_value=False, callback=_mode,
                     is_eager=True, help="Print only what a script needs."),
        click.option("--debug", is_flag=True, expose_value=False, callback=_debug, is_eager=True,
                     help="Print the traceback of an error."),
    ):  # fmt: skip
        command = option(command)
    return command


class _Commands(LazyGroup):
    """The commands, with a note of what was asked for, which a job does later."""

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        ctx.ensure_object(Session).arguments = tuple(args)
        return super().resolve_command(ctx, args)


@click.group(
    cls=_Commands,
    package="sdmerge.cli",
    table=COMMANDS,
    context_settings={"help_option_names": ["-h", "--help"]},
)
@click.version_option(package_name="sdmerge")
@click.option("--workspace", type=click.Path(path_type=Path, file_okay=False),
              help="Folder for models, recipes and caches.")  # fmt: skip
@click.option("--models", multiple=True, type=click.Path(path_type=Path),
              help="Another place of models: a folder, the tree of A1111, Forge or ComfyUI, or an "
              "extra_model_paths.yaml. It is only read; may be repeated.")  # fmt: skip
@click.option("--save-to", multiple=True, type=click.Path(path_type=Path),
              help="The same, which -o HOST:NAME may write into.")  # fmt: skip
@click.option("--device", default="cpu", show_default=True, help="Where pictures are drawn.")
@click.option("--plugin", multiple=True, type=click.Path(path_type=Path, dir_okay=False),
              help="A Python file with methods, scorers or engines; repeatable.")  # fmt: skip
@output_options
@click.pass_context
def cli(
    ctx: click.Context,
    workspace: Path | None,
    models: tuple[Path, ...],
    *,
    save_to: tuple[Path, ...],
    device: str,
    plugin: tuple[Path, ...],
) -> None:
    """Merge diffusion models: checkpoints and LoRAs, every published method."""
    session = ctx.ensure_object(Session)
    session.workspace = find_workspace(workspace, models, save_to)
    _ = session.workspace.hosts  # a folder that is not there is told before anything is done
    session.device = device
    session.plugins = plugin
    kinds = ("methods", "scorers", "engines")
    if plugin or any(entry_points(group=f"sdmerge.{kind}") for kind in kinds):
        from sdmerge.plugins import load_installed, load_plugin

        load_installed()
        for path in plugin:
            load_plugin(path)


def main(arguments: list[str] | None = None) -> None:
    """Run the command line and leave with its exit code."""
    sys.exit(run(arguments))


def run(arguments: list[str] | None = None) -> int:
    """The exit code: 0 done, 1 our bug, 2 your input, 3 could not, 130 cancelled."""
    session = Session()
    try:
        return call(arguments, session)
    except click.exceptions.NoArgsIsHelpError as error:
        session.output.note(error.format_message())
        return 2
    except (Exception, KeyboardInterrupt) as error:  # noqa: BLE001 - the user gets a sentence
        told = explained(error)
        if session.debug and not isinstance(error, EXPECTED):
            traceback.print_exc()
        session.output.error(str(told))
        return told.exit_code


def call(arguments: list[str] | None, session: Session) -> int:
    """Run a command line for `session`; errors are raised as they come."""
    code = cli.main(args=arguments, prog_name="sdmerge", standalone_mode=False, obj=session)
    return code if isinstance(code, int) else 0
