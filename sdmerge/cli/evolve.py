"""`sdmerge evolve`: search for the recipe whose pictures score best."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import closing
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import click

from sdmerge.cli.main import Session, output_options
from sdmerge.cli.recipes import recipe_in
from sdmerge.cli.runs.background import background_option
from sdmerge.cli.score import check_needs
from sdmerge.cli.studies import Opening, evaluator_spec, made
from sdmerge.errors import Cancelled, InputError, ResourceError
from sdmerge.evolve.numbers import NUMBERS
from sdmerge.recipe import Recipe


def _numbers(command: Callable[..., Any]) -> Callable[..., Any]:
    """A flag for every number of a search; what is not given is the recipe's business."""
    kinds = {"int": int, "float": float}
    for name, param in reversed([*NUMBERS.items()]):
        command = click.option(
            f"--{name.replace('_', '-')}", name, type=kinds[param.kind], help=param.doc
        )(command)
    return command


@click.command("evolve")
@click.argument("recipe", type=click.Path(path_type=Path, dir_okay=False))
@click.option("-o", "--output", "target", type=click.Path(path_type=Path), required=True,
              help="The study's folder.")  # fmt: skip
@click.option("--resume", is_flag=True, help="Go on with the study that is there.")
@_numbers
@click.option("--add", "added", multiple=True, metavar="RECIPE",
              type=click.Path(path_type=Path, dir_okay=False),
              help="A recipe to compare with; may be repeated.")  # fmt: skip
@click.option("--workers", default=1, show_default=True, type=click.IntRange(1),
              help="Processes that evaluate, each with its GPU, or one thread.")  # fmt: skip
@click.option("--timeout", default=3600.0, show_default=True, type=click.FloatRange(1.0),
              help="Seconds after which a worker counts as hung.")  # fmt: skip
@click.option("--ray", metavar="ADDRESS",
              help="Evaluate on a Ray cluster, with --workers: auto, or its address.")  # fmt: skip
@click.option("--storage", default="", metavar="URL",
              help="Keep Optuna's trials in this PostgreSQL: sdmerge[postgres].")  # fmt: skip
@click.option("--set", "settings", multiple=True, metavar="PATH=VALUE",
              help="Change a value of the recipe; may be repeated.")  # fmt: skip
@click.option("--allow-pickle", is_flag=True, help="Read .ckpt and .bin with a restricted loader.")
@click.option("--trust-remote-code", is_flag=True,
              help="Let a scorer's model run Python code that it brings.")  # fmt: skip
@output_options
@background_option
@click.pass_obj
def evolve_command(session: Session, recipe: Path, target: Path, **options: Any) -> None:
    r"""Search the marked values of RECIPE for what its `evolve:` section asks.

    Parents, their average and task arithmetic are evaluated first, to be beaten. Stopped or killed,
    the same command with --resume goes on with the same decisions.

    \b
    sdmerge evolve search.yaml -o studies/one --trials 200
    sdmerge study show studies/one
    sdmerge study best studies/one > winner.yaml
    """
    from sdmerge.evolve.ledger import check_database, claimed, create

    if options["storage"]:
        check_database(options["storage"], options["workers"])
    read = _recipe(recipe, options)
    own = {path.stem: recipe_in(path, ()) for path in options["added"]}
    resume = options["resume"] or (session.again and _holds_study(target))
    _refuse_folder(target, resume=resume)
    study = made(session, read, own, allow_pickle=options["allow_pickle"])
    lines = [*study.options.search, *study.options.validation]
    check_needs(study.scorers, lines)
    for note in study.space.notes:
        session.output.note(note)
    device = session.device.partition(":")[0]
    description = study.description(device=device)
    with claimed(target):
        create(target, description, resume=resume)
        ended = None if study.by_hand else _searched(session, target, study, options)
    if ended is None:
        text = f"{target}: ready for votes\n  sdmerge study ask {target}"
        session.output.result({"path": str(target), "why": "votes"}, text, quiet=str(target))
    else:
        _finish(session, target, study, ended)


def _recipe(path: Path, options: Mapping[str, Any]) -> Recipe:
    """The recipe with what flags say of its search."""
    recipe = recipe_in(path, options["settings"])
    given = {name: options[name] for name in NUMBERS if options[name] is not None}
    images = given.pop("images_per_prompt", None)
    evolve: dict[str, Any] = {**recipe.evolve, **given}
    if images is not None:
        evolve["sampler"] = {**evolve.get("sampler", {}), "images_per_prompt": images}
    return replace(recipe, evolve=evolve)


def _holds_study(target: Path) -> bool:
    from sdmerge.evolve.ledger import STUDY

    return (target / STUDY).is_file()


def _refuse_folder(target: Path, *, resume: bool) -> None:
    """Nothing if a search may write here; looked at before anything is loaded."""
    if target.exists() and not target.is_dir():
        raise InputError("is a file, where a study needs a folder", where=str(target))
    there = _holds_study(target)
    if there and not resume:
        hint = "Pass --resume to continue it, or choose another folder."
        raise InputError("holds a study", where=str(target), hint=hint)
    if resume and not there:
        raise InputError("there is no study to resume", where=str(target), hint="Drop --resume.")


def _searched(session: Session, target: Path, study: Any, options: Mapping[str, Any]) -> Any:
    from sdmerge.evolve.ledger import Journal, Ledger
    from sdmerge.evolve.run import Search
    from sdmerge.evolve.run.suggesting import Suggestions

    names = [one.name for one in study.options.objectives]
    told = 0
    with (
        closing(Journal(target, study.space.genes, names, url=options["storage"])) as journal,
        closing(_executor(session, study, options)) as executor,
        session.output.progress("evaluating", pieces="candidates") as advance,
    ):

        def tell(progress: Any) -> None:
            nonlocal told
            told = progress.trials
            if progress.alarm:
                session.output.note(f"alarm: {progress.alarm}")
            what = "baselines" if progress.what == "baselines" else "searching"
            advance(progress.done, progress.of or progress.done, what)

        search = Search(
            Ledger(target), study.space, study.engine, study.options, study.budget,
            executor=executor, baselines=study.baselines, journal=journal, told=tell,
            suggested=Suggestions(target, study.space),
        )  # fmt: skip
        try:
            return search.run()
        except KeyboardInterrupt:
            hint = "The same command with --resume goes on."
            raise Cancelled(f"stopped; {told} candidates are evaluated", hint=hint) from None


def _executor(session: Session, study: Any, options: Mapping[str, Any]) -> Any:
    """Who evaluates: this process, several, or a Ray cluster."""
    from sdmerge.evolve.workers import Local, Processes, devices_of

    workers = options["workers"]
    spec = evaluator_spec(session, study, options, memory=_share(workers))
    opening = Opening(spec, _plugins())
    if options["ray"]:
        from sdmerge.evolve.workers.cluster import Cluster

        gpus = 1.0 if session.device.startswith("cuda") else 0.0
        return Cluster(opening, options["ray"], workers, gpus=gpus, timeout=options["timeout"])
    if workers == 1:
        return Local(opening)
    settings = devices_of(session.device, workers)
    return Processes(opening, settings, timeout=options["timeout"])


def _plugins() -> tuple[Path, ...]:
    """The plug-ins of this command, for workers to load as well."""
    root = click.get_current_context().find_root()
    return tuple(root.params.get("plugin") or ())


def _share(workers: int) -> int | None:
    """Bytes of models that each worker may keep: half of what is free, divided."""
    if workers == 1:
        return None
    from sdmerge.live.memory import free_share

    return free_share() // workers


def _finish(session: Session, target: Path, study: Any, ended: Any) -> None:
    from sdmerge.evolve.ledger import Ledger
    from sdmerge.evolve.run import best

    found = best(Ledger(target), study.options.objectives)
    if found is None and not ended.trials:
        raise ResourceError("the hours were over before the first candidate", where=str(target))
    why = "nobody has finished a generation" if found is None else found[1]
    best_of = {"candidate": {} if found is None else dict(found[0]), "why": why}
    data = {"path": str(target), **asdict(ended), "best": best_of}
    text = (
        f"{target}: {ended.trials} candidates in {ended.generations} generations "
        f"({ended.evaluations} evaluations now, {ended.seconds:.0f} s); ended by {ended.why}\n"
        f"best: {why}\n  sdmerge study show {target}\n  sdmerge study best {target} > winner.yaml"
    )
    session.output.result(data, text, quiet=str(target))
