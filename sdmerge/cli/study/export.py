"""`sdmerge study export`: the winner, what one test says of it, and a report."""

from __future__ import annotations

import os
import shutil
from collections.abc import Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import click

from sdmerge.cli.fits import FitLogs
from sdmerge.cli.main import Session, output_options
from sdmerge.cli.merge import open_sink
from sdmerge.cli.recipes import probe
from sdmerge.cli.score import check_needs
from sdmerge.cli.studies import Planner, evaluator_spec, reopened
from sdmerge.cli.study.verdicts import explain_test, test_data
from sdmerge.errors import InputError


@click.command("export")
@click.argument("folder", type=click.Path(path_type=Path))
@click.option("-o", "--output", "target", required=True, type=click.Path(path_type=Path),
              help="A folder for all of it.")  # fmt: skip
@click.option("--layout", type=click.Choice(["diffusers", "single-file"]),
              help="How the model is stored; by default as the recipe says.")  # fmt: skip
@click.option("--no-model", is_flag=True, help="Write no merged model.")
@click.option("--no-test", is_flag=True, help="Leave the test for later.")
@click.option("--again", is_flag=True, help="Run the test though it was run; the report counts.")
@click.option("--seeds", type=click.IntRange(1),
              help="Test pictures per prompt; by default as many as in the search.")  # fmt: skip
@click.option("--trust-remote-code", is_flag=True,
              help="Let a scorer's model run Python code that it brings.")  # fmt: skip
@click.option("--allow-pickle", is_flag=True, help="Read .ckpt and .bin with a restricted loader.")
@click.option("--force", is_flag=True, help="Replace an earlier export.")
@output_options
@click.pass_obj
def export_command(session: Session, folder: Path, target: Path, **options: Any) -> None:
    r"""Export the winner of FOLDER's search, after one test against all it was compared with.

    The winner is chosen on the validation prompts. On the test prompts of the recipe, which no
    search saw, it is drawn beside every parent, the uniform soup, the best of one weight for all
    and your own recipes. That is done once: a second export shows the same test.

    \b
    sdmerge study export studies/one -o out/one
    sdmerge study export studies/one -o out/one --layout single-file --seeds 4
    """
    _refuse_target(target, force=options["force"])
    work = _opened(session, folder, target, options)
    run = None if options["no_test"] else _tested(session, work, options)
    history = replace(work.history, test=run.test if run is not None else None)
    partial = target.with_name(f"{target.name}.{os.getpid()}.partial")
    try:
        model = None if options["no_model"] else _merge(session, work, partial, options)
        _report(work, history, partial)
        if target.exists():
            shutil.rmtree(target)
        partial.rename(target)
    finally:
        shutil.rmtree(partial, ignore_errors=True)
    data = {
        "path": str(target),
        "model": None if model is None else str(target / model),
        "winner": {"candidate": dict(work.chosen.candidate), "kind": work.chosen.kind,
                   "generation": work.chosen.generation, "trial": work.chosen.trial},
        **test_data(history),
    }  # fmt: skip
    explain_test(session.output, history)
    session.output.result(data, f"wrote {target}, report.html in it", quiet=str(target))


@dataclass(frozen=True, slots=True)
class _Work:
    """A study opened for its export."""

    folder: Path
    study: Any
    history: Any
    chosen: Any
    plan: Any
    placed: Any
    """The winner's recipe as seen from the target."""
    drawn: Mapping[str, Any]
    contenders: Sequence[Any]


def _opened(session: Session, folder: Path, target: Path, options: Mapping[str, Any]) -> _Work:
    from sdmerge.evolve.export.contenders import contenders
    from sdmerge.evolve.export.placing import placed
    from sdmerge.evolve.export.reading import read_history
    from sdmerge.evolve.export.winner import choose
    from sdmerge.evolve.ledger import Ledger, refuse_changed
    from sdmerge.evolve.run.suggesting import Suggestions

    study = reopened(session, folder, allow_pickle=options["allow_pickle"])
    if study.by_hand:
        hint = "Its winner is what `sdmerge study best` prints."
        raise InputError("is judged by people, there is no test", where=str(folder), hint=hint)
    compared = [*study.baselines, *Suggestions(folder, study.space)()]
    kinds: dict[str, Any] = {one.name: one.kind for one in compared}
    refuse_changed(folder, study.models.hashes())
    history = read_history(Ledger(folder), study.options, study.space.genes, kinds)
    chosen = choose(history)
    sampling = study.options.sampling
    drawn = {**sampling, **study.space.sampling(chosen.candidate)}
    winner = replace(study.space.fill(chosen.candidate), grid={}, evolve={})
    planned = Planner(session, allow_pickle=options["allow_pickle"])(winner)
    return _Work(
        folder, study, history, chosen, planned, placed(planned, target), drawn,
        contenders(history, winner, drawn, compared, sampling),
    )  # fmt: skip


def _refuse_target(target: Path, *, force: bool) -> None:
    from sdmerge.evolve.export.writing import REPORT, WINNER

    if not target.exists():
        return
    earlier = (target / REPORT).is_file() and (target / WINNER).is_file()
    if not force or not earlier:
        hint = "Pass --force to replace it." if earlier else "Choose another name."
        what = "exists already" if earlier else "exists, and is no earlier export"
        raise InputError(what, where=str(target), hint=hint)


def _tested(session: Session, work: _Work, options: Mapping[str, Any]) -> Any:
    """The test's run: the one that was, or a new one; None if the study has no test prompts."""
    from sdmerge.evolve.export import contest
    from sdmerge.evolve.export.gallery import write_gallery
    from sdmerge.evolve.ledger import claimed

    prompts = work.study.settings.prompts.test
    if prompts is None:
        session.output.note("no test: evolve.prompts of the recipe has no 'test'")
        return None
    with claimed(work.folder):
        before = contest.load(work.folder)
        contest.refuse_second(before, work.contenders[0], again=options["again"],
                              where=work.folder / contest.FILE)  # fmt: skip
        if before is not None and not options["again"]:
            session.output.note("the test was run already: this is what it said")
            return before
        lines = _lines(work, prompts)
        images = options["seeds"] or work.study.options.images
        exam = contest.exam_of(lines, images, work.study.options.seed, before)
        with (
            closing(evaluator_spec(session, work.study, options).open()) as evaluator,
            session.output.progress("testing", pieces="models") as advance,
        ):

            def told(done: int, total: int, name: str) -> None:
                advance(done, total, f"testing {name}" if name else "testing")

            run = contest.run_test(work.contenders, exam, evaluator, before=before, told=told)
        contest.save(run, work.folder)
        write_gallery(work.folder, run, work.contenders, exam)
    return run


def _lines(work: _Work, prompts: Path) -> list[Any]:
    """The test prompts; one that was searched or validated with is an InputError."""
    from sdmerge.evolve.statistics import check_disjoint
    from sdmerge.scoring.prompts import read_prompts

    lines = read_prompts(prompts)
    options, settings = work.study.options, work.study.settings.prompts
    parts = {str(settings.search): options.search, str(prompts): lines}
    if settings.validation is not None:
        parts[str(settings.validation)] = options.validation
    check_disjoint(parts)
    check_needs(work.study.scorers, lines)
    return lines


def _merge(session: Session, work: _Work, folder: Path, options: Mapping[str, Any]) -> str:
    """Merge the winner into `folder`; the model's name in it."""
    from sdmerge.merge import run

    layout = options["layout"] or work.plan.recipe.output.layout or "diffusers"
    name = "model" if layout == "diffusers" else "model.safetensors"
    folder.mkdir(parents=True, exist_ok=True)
    sink = open_sink(str(folder / name), layout, force=False, shard_size="10GB")
    with session.output.progress("merging") as advance:
        run(work.plan, sink, progress=FitLogs(advance).take, probe=probe)
    return name


def _report(work: _Work, history: Any, folder: Path) -> None:
    from sdmerge.evolve.export.writing import write_report

    write_report(
        history, work.chosen, work.placed, sampling=work.drawn, study=work.folder, out=folder
    )
