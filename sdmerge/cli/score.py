"""`sdmerge score`: numbers for pictures, with the noise of each."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import click

from sdmerge.album import PICTURES, pictures_in
from sdmerge.cli.drawing import (
    drawer_of,
    drawing_options,
    inversions_of,
    live_of,
    recipe_of,
    sampling_of,
    say_suited,
)
from sdmerge.cli.main import Session, output_options
from sdmerge.cli.recipes import plan_of
from sdmerge.cli.runs.background import background_option
from sdmerge.cli.score_grid import is_grid, score_grids
from sdmerge.cli.scores import described, explain_sanity, explain_scores, write_rows
from sdmerge.errors import InputError, ScorerError
from sdmerge.scoring.choice import Choice, parse_choice
from sdmerge.scoring.prompts import Line, read_prompts, with_references
from sdmerge.scoring.spec import scorer_manifest


@dataclass(frozen=True, slots=True)
class _Source:
    """What is scored: a plan to draw with, or a folder of pictures."""

    label: str
    plan: Any = None
    folder: Path | None = None


@click.command("score")
@click.argument("sources", nargs=-1, required=True, metavar="MODEL|RECIPE|PICTURES|GRID…")
@click.option("--with", "scorers", multiple=True, required=True, metavar="SCORER[,NAME=VALUE…]",
              help="A scorer, with its parameters after commas; may be repeated.")  # fmt: skip
@click.option("--prompts", type=click.Path(path_type=Path, dir_okay=False),
              help="A prompt per line, or JSONL {prompt, caption, reference}.")  # fmt: skip
@click.option("--references", type=click.Path(path_type=Path, file_okay=False),
              help="A folder with a picture per prompt, in the order of their names.")  # fmt: skip
@click.option("--sanity", "check", is_flag=True,
              help="Check that they rank real > parent > blurred > grey > noise.")  # fmt: skip
@click.option("-o", "--output", "target", type=click.Path(path_type=Path, dir_okay=False),
              help="Write a line per picture, NAME.jsonl.")  # fmt: skip
@click.option("--batch", default=8, show_default=True, type=click.IntRange(1),
              help="Pictures drawn and scored at once.")  # fmt: skip
@click.option("--trust-remote-code", is_flag=True,
              help="Let a scorer's model run Python code that it brings.")  # fmt: skip
@drawing_options
@output_options
@background_option
@click.pass_obj
def score_command(session: Session, sources: tuple[str, ...], **options: Any) -> None:
    r"""Score what each MODEL or RECIPE draws, or the PICTURES of a folder.

    With several, each is compared with the first, picture by picture. A GRID keeps the scores in
    its cells, which have prompts of their own; cells that have them are scored again with --force.

    \b
    sdmerge score a/ recipe.yaml --with clip --prompts test.jsonl --seeds 4
    sdmerge score pictures/ --with clip,model=my_clip/ --with oracle --prompts test.jsonl
    sdmerge score grids/sweep --with aesthetic
    """
    _check_target(options["target"], force=options["force"])
    choices = [parse_choice(text) for text in options["scorers"]]
    lines = _lines(options["prompts"], options["references"])
    if any(map(is_grid, sources)):
        score_grids(
            session, sources, lines, options,
            check=lambda own: check_needs(choices, own),
            panel=lambda: open_scorers(session, choices, options),
        )  # fmt: skip
        return
    check_needs(choices, lines)
    found = list(_labelled([_source(session, text, options, lines) for text in sources]))
    _check_counts(choices, found, lines, options["seeds"])
    panel = open_scorers(session, choices, options)
    scored: dict[str, Sequence[Any]] = {}
    checks: list[Any] = []
    for number, source in enumerate(found, 1):
        session.output.note(f"{number} of {len(found)}: {source.label}")
        shown: Iterable[Any] = _shown(session, source, lines, options)
        if options["check"] and not checks:
            from sdmerge.scoring.sanity import sanity

            shown = list(shown)
            checks = sanity(panel, shown)
        scored[source.label] = list(panel.score(shown, batch=options["batch"]))
    if options["target"] is not None:
        write_rows(options["target"], scored)
    data = described(scored, panel.names)
    checked = [{**asdict(one), "passed": one.passed} for one in checks]
    session.output.result(
        {**data, **({"sanity": checked} if options["check"] else {})},
        quiet="\n".join(_quiet(data)),
    )
    explain_scores(session.output, data)
    explain_sanity(session.output, checks)
    failed = [one.name for one in checks if not one.passed]
    if failed:
        hint = "A search by it would find its mistakes. More prompts make intervals narrower."
        raise ScorerError(f"not fit for a search: {', '.join(failed)}", hint=hint)


def _check_target(target: Path | None, *, force: bool) -> None:
    if target is None:
        return
    if target.suffix.lower() != ".jsonl":
        raise InputError("scores are written as .jsonl", where=str(target))
    if target.exists() and not force:
        hint = "Choose another name, or pass --force to replace it."
        raise InputError("exists already", where=str(target), hint=hint)


def _lines(prompts: Path | None, references: Path | None) -> list[Line]:
    if prompts is None:
        if references is not None:
            raise InputError("--references belong to --prompts, one picture per prompt")
        return []
    lines = read_prompts(prompts)
    return lines if references is None else with_references(lines, references)


def check_needs(choices: Sequence[Choice], lines: Sequence[Line]) -> None:
    """Refuse before any work what scorers would refuse after it."""
    for choice in choices:
        spec = scorer_manifest().get(choice.scorer)
        needs = spec.needs if spec is not None else ()
        if "caption" in needs and not lines:
            hint = "Give --prompts FILE."
            raise ScorerError(f"{choice.scorer} compares pictures with captions", hint=hint)
        if {"reference", "source"} & {*needs} and not (
            lines and all(line.reference for line in lines)
        ):
            hint = "Give --references DIR, or a 'reference' in every line of --prompts."
            raise ScorerError(f"{choice.scorer} compares pictures with references", hint=hint)


def _check_counts(
    choices: Sequence[Choice], sources: Sequence[_Source], lines: Sequence[Line], seeds: int
) -> None:
    """Refuse pictures that cannot be compared one by one, and sets of one picture."""
    counts = {
        source.label: len(lines) * seeds
        if source.folder is None
        else len(pictures_in(source.folder))
        for source in sources
    }
    if len({*counts.values()}) > 1:
        told = ", ".join(f"{label} {count}" for label, count in counts.items())
        hint = "Score them apart, or with --seeds that fit."
        raise InputError(f"pictures are compared one by one, but: {told}", hint=hint)
    known = scorer_manifest()
    sets = [one.scorer for one in choices if one.scorer in known and known[one.scorer].of == "set"]
    if sets and min(counts.values()) < 2 * max(1, len(lines)):
        hint = "Draw --seeds 2 or more."
        raise ScorerError(f"{sets[0]} compares the pictures of one prompt", hint=hint)


def _source(
    session: Session, text: str, options: Mapping[str, Any], lines: Sequence[Line]
) -> _Source:
    path = Path(text)
    if path.is_dir() and _holds_pictures(path):
        return _Source(path.name, folder=path)
    if not lines:
        hint = "A folder of pictures needs none; a model or a recipe draws them."
        raise InputError("there are no --prompts to draw", where=text, hint=hint)
    recipe = recipe_of(text, options["settings"], options["loras"])
    plan = plan_of(session, recipe, allow_pickle=options["allow_pickle"])
    return _Source(Path(text.rstrip("/\\")).stem, plan=plan)


def _holds_pictures(folder: Path) -> bool:
    """Whether it is a folder of pictures: a model's folder may have some too."""
    names = [path.name.lower() for path in folder.iterdir()]
    models = (".safetensors", ".ckpt", ".bin", "model_index.json")
    return any(name.endswith(PICTURES) for name in names) and not any(
        name.endswith(models) for name in names
    )


def _labelled(sources: Sequence[_Source]) -> Iterator[_Source]:
    """The sources with a label of its own each."""
    seen: dict[str, int] = {}
    for source in sources:
        seen[source.label] = seen.get(source.label, 0) + 1
        count = seen[source.label]
        label = source.label if count == 1 else f"{source.label} #{count}"
        yield _Source(label, source.plan, source.folder)


def open_scorers(session: Session, choices: Sequence[Choice], options: Mapping[str, Any]) -> Any:
    """The panel of these scorers, their models loaded as the options allow."""
    from sdmerge.scorers import SCORERS
    from sdmerge.scoring.loader import Loader
    from sdmerge.scoring.panel import open_panel

    loader = Loader(
        session.device,
        session.workspace.model_roots,
        trust_remote_code=options["trust_remote_code"],
        allow_pickle=options["allow_pickle"],
    )
    return open_panel(choices, SCORERS, loader)


def _shown(
    session: Session, source: _Source, lines: Sequence[Line], options: Mapping[str, Any]
) -> Iterator[Any]:
    from sdmerge.sample.scored import drawn, read

    if source.folder is not None:
        yield from read(source.folder, lines)
        return
    with live_of(session, memory=0) as live:
        live.show(source.plan, cancel=session.cancel)
        drawer = drawer_of(session, live, inversions_of(options))
        seeds = range(options["seed"], options["seed"] + options["seeds"])
        sampling = sampling_of(options)
        say_suited(session, drawer.suited, sampling)
        yield from drawn(
            drawer, lines, [seeds] * len(lines), sampling, options["batch"], cancel=session.cancel
        )


def _quiet(data: Mapping[str, Any]) -> Iterator[str]:
    for model in data["models"]:
        for name, found in model["scores"].items():
            yield f"{model['model']}\t{name}\t{found['mean']:.6g}"
