"""Batches: `merge` with several recipes or with `--sweep` is several merges, named by `-o`."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import click
from click.core import ParameterSource

from sdmerge.cli.main import Session
from sdmerge.cli.recipes import is_recipe, plan_of, read_recipe
from sdmerge.cli.runs.background import submitted
from sdmerge.errors import InputError

_OWN = ("sources", "recipe", "target", "sweep", "settings", "background")


def sweep_option(command: Callable[..., Any]) -> Callable[..., Any]:
    """`--sweep`, which makes a batch of a merge."""
    text = "One merge per value, written like an axis of `grid`; may be repeated. -o names them."
    return click.option("--sweep", multiple=True, metavar="PATH=VALUES", help=text)(command)


def is_batch(sources: Sequence[str], sweep: Sequence[str]) -> bool:
    """Whether a command line means several merges."""
    return bool(sweep) or (len(sources) > 1 and all(map(is_recipe, sources)))


def run_batch(
    session: Session, sources: Sequence[str], target: str, options: Mapping[str, Any], *,
    lead: Callable[[Any, str], Path], write: Callable[[Any, str], dict[str, Any]],
) -> None:  # fmt: skip
    """Do every merge, one after the other, by `write`; or put each into the queue.

    All are planned and named before the first begins. `lead` says where a plan's `-o` leads.
    """
    from sdmerge.adapters.opened import OpenedModels
    from sdmerge.batch import Named, names, points

    found: list[tuple[tuple[str, ...], tuple[str, ...], Any]] = []
    merges: list[Named] = []
    opened = OpenedModels()
    alone = [(one,) for one in sources] if is_recipe(sources[0]) else [tuple(sources)]
    for own in alone:
        for point in points(options["sweep"]):
            settings = (*options["settings"], *point.settings)
            recipe = read_recipe(own, {**options, "settings": settings})
            planned = plan_of(
                session, recipe, allow_pickle=options["allow_pickle"],
                partial=options["partial"], opened=opened,
            )  # fmt: skip
            title = Path(own[0]).stem if len(own) == 1 else "merge"
            merges.append(Named(title, recipe, point.values))
            found.append((own, settings, planned))
    named = zip(found, names(target, merges), strict=True)
    targets = [str(lead(planned, name)) for (_, _, planned), name in named]
    _refuse_existing(targets, force=options["force"])
    if options["background"]:
        _submit(session, [one[:2] for one in found], targets)
        return
    done = [write(planned, to) for (_, _, planned), to in zip(found, targets, strict=True)]
    paths = [str(one["path"]) for one in done]
    text = f"{len(done)} merges are written"
    session.output.result({"merges": done}, text, quiet="\n".join(paths))


def _refuse_existing(targets: Sequence[str], *, force: bool) -> None:
    """Nothing is begun if the last of the merges could not be written."""
    there = [one for one in targets if not force and Path(one).exists()]
    if there:
        hint = "Choose another template, or pass --force to replace what is there."
        raise InputError(f"{len(there)} of {len(targets)} exist already", where=there[0], hint=hint)


def _submit(
    session: Session,
    merges: Sequence[tuple[tuple[str, ...], tuple[str, ...]]],
    targets: Sequence[str],
) -> None:
    flags = _given(click.get_current_context())
    numbers: list[int] = []
    for (sources, settings), target in zip(merges, targets, strict=True):
        pairs = [word for setting in settings for word in ("--set", setting)]
        words = ["merge", *sources, *flags, *pairs, "-o", target]
        numbers.append(submitted(session, words).number)
    text = f"runs {numbers[0]} to {numbers[-1]} are in the queue; `sdmerge runs ls` lists them"
    lines = [{"run": one, "path": to} for one, to in zip(numbers, targets, strict=True)]
    session.output.result({"runs": lines}, text, quiet="\n".join(map(str, numbers)))


def _given(context: click.Context) -> list[str]:
    """The options that were given, as words; but for those that a batch divides."""
    words: list[str] = []
    for param in context.command.get_params(context):
        name = str(param.name)
        given = context.get_parameter_source(name) is ParameterSource.COMMANDLINE
        if not isinstance(param, click.Option) or name in _OWN or not given:
            continue
        value = context.params.get(name)
        if param.is_flag:
            words += [param.opts[0]] if value else []
        else:
            many = value if param.multiple else [value]
            words += [word for one in many or () for word in (param.opts[0], str(one))]
    return words
