"""`sdmerge show` and `sdmerge verify`: what a result says of itself, and whether it is true."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import click

from sdmerge.cli.main import Session, output_options
from sdmerge.cli.recipes import probe
from sdmerge.errors import InputError


@click.command("show")
@click.argument("file", type=click.Path(path_type=Path, exists=True))
@output_options
@click.pass_obj
def show_command(session: Session, file: Path) -> None:
    """Print the recipe that FILE, a model or a picture, was made by."""
    if file.suffix.lower() in (".png", ".webp"):
        _show_picture(session, file)
        return
    from sdmerge.recipe import to_yaml
    from sdmerge.sinks.provenance import read_origin

    origin = read_origin(file)
    text = to_yaml(origin.recipe)
    data = {
        "recipe": text,
        "recipe_id": origin.recipe_id,
        "version": origin.version,
        "inputs": list(origin.inputs),
    }
    session.output.note(f"# recipe {origin.recipe_id}, written by sdmerge {origin.version}")
    for one in origin.inputs:
        session.output.note(f"# {one['name']}: {one['path']}")
    session.output.result(data, text.rstrip(), quiet=origin.recipe_id)


def _show_picture(session: Session, file: Path) -> None:
    from sdmerge.sample.picture import read_record

    record = read_record(file)
    session.output.note(f"# recipe {record.recipe_id}, drawn by sdmerge {record.version}")
    settings = {"prompt": record.prompt, "seed": record.seed, **record.settings, **record.values}
    for name, value in settings.items():
        session.output.note(f"# {name}: {value}")
    data = dataclasses.asdict(record)
    session.output.result(data, record.recipe.rstrip(), quiet=record.recipe_id)


@click.command("verify")
@click.argument("file", type=click.Path(path_type=Path, exists=True))
@click.option("--allow-pickle", is_flag=True, help="Read .ckpt and .bin with a restricted loader.")
@output_options
@click.pass_obj
def verify_command(session: Session, file: Path, *, allow_pickle: bool) -> None:
    """Merge FILE's recipe again in memory and name every tensor that differs."""
    from sdmerge.verify import verify

    roots = session.workspace.model_roots
    with session.output.progress("verifying") as advance:
        found = verify(
            file,
            roots=roots,
            allow_pickle=allow_pickle,
            progress=lambda done: advance(done.written, done.of_bytes),
            probe=probe,
        )
    data: dict[str, Any] = {
        "same": found.same,
        "tensors": found.tensors,
        "differing": list(found.differing),
        "missing": list(found.missing),
        "surplus": list(found.surplus),
        "changed_inputs": list(found.changed_inputs),
    }
    if found.same:
        text = f"{file}: all {found.tensors} tensors are what the recipe gives"
        session.output.result(data, text, quiet="same")
        return
    session.output.result(data, quiet="\n".join(found.differing))
    kinds = (
        ("differ", found.differing),
        ("are missing", found.missing),
        ("are not of the recipe", found.surplus),
    )
    parts = [f"{len(keys)} {word}: {', '.join(keys[:5])}" for word, keys in kinds if keys]
    changed = (
        f"Inputs that changed since: {', '.join(found.changed_inputs)}."
        if found.changed_inputs
        else ""
    )
    raise InputError(
        "; ".join(parts), where=str(file), hint=changed or "The inputs are those of the merge."
    )
