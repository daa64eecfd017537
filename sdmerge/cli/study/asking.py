"""`sdmerge study ask` and `tell`: candidates judged by people, or by a program of one's own."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import click

from sdmerge.cli.main import Session, output_options
from sdmerge.cli.studies import reopened
from sdmerge.cli.study.best import written as placed
from sdmerge.errors import FileError, InputError
from sdmerge.recipe import load_recipe, recipe_id, to_yaml

_ASKED = "asked"


@click.command("ask")
@click.argument("folder", type=click.Path(path_type=Path))
@click.option("--allow-pickle", is_flag=True, help="Read .ckpt and .bin with a restricted loader.")
@output_options
@click.pass_obj
def ask_command(session: Session, folder: Path, *, allow_pickle: bool) -> None:
    r"""Write the candidates that FOLDER waits for as recipes, and print their names.

    They stay the same until they are told.

    \b
    sdmerge grid $(sdmerge study ask studies/taste -q) -p @prompts.txt -o grids/round1
    sdmerge vote grids/round1
    sdmerge study tell studies/taste --votes grids/round1
    """
    from sdmerge.evolve.ledger import claimed

    study = reopened(session, folder, allow_pickle=allow_pickle)
    with claimed(folder):
        state = _by_hand(folder, study).asked()
        paths = _write(session, folder, study, state, allow_pickle=allow_pickle)
    data = {
        "generation": state.generation,
        "asked": [
            {"slot": slot, "recipe": str(path), "candidate": dict(one)}
            for slot, (path, one) in enumerate(zip(paths, state.asked, strict=True))
        ],
    }
    names = "\n".join(map(str, paths))
    session.output.result(data, names, quiet=names)


@click.command("tell")
@click.argument("folder", type=click.Path(path_type=Path))
@click.argument("scores", nargs=-1, metavar="[SLOT=SCORE…]")
@click.option("--votes", "grid", type=click.Path(path_type=Path, file_okay=False),
              help="A grid of the candidates, on which people have voted.")  # fmt: skip
@click.option("--file", "file", type=click.Path(path_type=Path, dir_okay=False),
              help='Scores as JSON, in order of slots: [0.4, 0.7] or {"0": 0.4, …}.')  # fmt: skip
@click.option("--allow-pickle", is_flag=True, help="Read .ckpt and .bin with a restricted loader.")
@output_options
@click.pass_obj
def tell_command(session: Session, folder: Path, scores: tuple[str, ...], **options: Any) -> None:
    r"""Tell FOLDER how good the candidates are that it asked for: the higher the better.

    \b
    sdmerge study tell studies/taste 0=0.31 1=0.35 2=0.29 3=0.3
    sdmerge study tell studies/taste --votes grids/round1
    """
    from sdmerge.evolve.ledger import Journal, claimed
    from sdmerge.evolve.run.by_hand import OBJECTIVE

    given = [bool(scores), options["grid"] is not None, options["file"] is not None]
    if sum(given) != 1:
        hint = "Write 0=0.3 1=0.5 …, or --votes GRID, or --file scores.json."
        raise InputError("tell takes scores in one of three ways", hint=hint)
    study = reopened(session, folder, allow_pickle=options["allow_pickle"])
    with claimed(folder):
        hand = _by_hand(folder, study)
        state = hand.asked()
        found = _scores(folder, state, scores, options)
        journal = Journal(folder, study.space.genes, [OBJECTIVE.name])
        after = hand.tell(found, journal)
    data = {"generation": state.generation, "told": found, "next": len(after.asked)}
    text = f"generation {state.generation} is told; `sdmerge study ask {folder}` has the next"
    session.output.result(data, text, quiet=str(after.generation))


def _by_hand(folder: Path, study: Any) -> Any:
    from sdmerge.evolve.ledger import Ledger
    from sdmerge.evolve.run.by_hand import ByHand

    ledger = Ledger(folder)
    if any(key.role == "baseline" for key in ledger.rows):
        hint = "Go on with `sdmerge evolve … --resume`, or begin a study for yourself."
        raise InputError("is searched by `sdmerge evolve`", where=str(folder), hint=hint)
    return ByHand(ledger, study.space, study.engine, study.options)


def _write(
    session: Session, folder: Path, study: Any, state: Any, *, allow_pickle: bool
) -> list[Path]:
    from sdmerge.written import write

    paths: list[Path] = []
    for slot, one in enumerate(state.asked):
        path = folder / _ASKED / f"{state.generation:04d}" / f"{slot:02d}.yaml"
        if not path.is_file():
            recipe = placed(session, study.space.fill(one), allow_pickle=allow_pickle)
            write(path, to_yaml(recipe).encode())
        paths.append(path)
    return paths


def _scores(
    folder: Path, state: Any, texts: Sequence[str], options: Mapping[str, Any]
) -> dict[int, float]:
    """The scores by slot, from wherever they are given."""
    if options["grid"] is not None:
        return _voted(folder, state, options["grid"])
    if options["file"] is not None:
        return _read(options["file"])
    pairs = [text.partition("=") for text in texts]
    return {_slot(slot, "tell"): _number(score, "tell") for slot, _, score in pairs}


def _voted(folder: Path, state: Any, grid: Path) -> dict[int, float]:
    """The strengths that votes on a grid of the candidates give them."""
    from sdmerge.votes.ranking import RECIPE, rank

    strengths = {one.key: one.strength for one in rank(grid, RECIPE).standings}
    asked = folder / _ASKED / f"{state.generation:04d}"
    names = {slot: asked / f"{slot:02d}.yaml" for slot in range(len(state.asked))}
    ids = {slot: recipe_id(load_recipe(path)) for slot, path in names.items() if path.is_file()}
    found = {slot: strengths[name] for slot, name in ids.items() if name in strengths}
    if len(found) < len(state.asked):
        hint = f"Draw it with `sdmerge grid {asked}/*.yaml …`."
        what = f"holds {len(found)} of the {len(state.asked)} candidates that wait"
        raise InputError(what, where=str(grid), hint=hint)
    return found


def _read(path: Path) -> dict[int, float]:
    try:
        data: Any = json.loads(path.read_text("utf-8"))
    except (OSError, ValueError) as error:
        raise FileError(f"is no JSON: {error}", where=str(path)) from None
    pairs = data.items() if isinstance(data, dict) else enumerate(data)  # pyright: ignore
    return {_slot(slot, str(path)): _number(score, str(path)) for slot, score in pairs}  # pyright: ignore


def _slot(text: object, where: str) -> int:
    if str(text).isdecimal():
        return int(str(text))
    raise InputError(f"'{text}' is no slot", where=where, hint="Slots count from 0.")


def _number(text: Any, where: str) -> float:
    try:
        number = float(text)
    except (TypeError, ValueError):
        number = math.nan
    if not math.isfinite(number):
        raise InputError(f"'{text}' is no score", where=where, hint="Write 0=0.3 1=0.5 …")
    return number
