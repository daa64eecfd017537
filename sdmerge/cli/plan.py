"""`sdmerge plan`: what a recipe would do."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import click

from sdmerge.cli.analysis import analyse, comparison_of
from sdmerge.cli.main import Session, output_options
from sdmerge.cli.output import Output
from sdmerge.cli.recipes import (
    RecipeCommand,
    check_picture,
    plan_of,
    prune_option,
    read_recipe,
    recipe_options,
)


@click.command("plan", cls=RecipeCommand)
@click.argument("recipe", nargs=-1, required=True)
@click.option(
    "--analyse",
    is_flag=True,
    help="Read the tensors: where the models collide, and what to try first.",
)
@click.option(
    "--plot",
    type=click.Path(path_type=Path, dir_okay=False),
    help="Draw the analysis as a heat map, NAME.png.",
)
@click.option("--force", is_flag=True, help="Replace the picture that is there.")
@recipe_options
@prune_option
@output_options
@click.pass_obj
def plan_command(session: Session, recipe: tuple[str, ...], **options: Any) -> None:
    """Say what RECIPE (or models, as for `merge`) would do, without reading a tensor.

    With --analyse the models' tensors are read and compared, whatever the recipe's method is.
    """
    picture = options["plot"]
    if picture is not None:
        check_picture(picture, force=options["force"])
    read = read_recipe(recipe, options)
    allowed = {"allow_pickle": options["allow_pickle"], "partial": options["partial"]}
    planned = plan_of(session, read, **allowed)
    data = report_data(planned)
    print_report(session.output, data)
    if options["analyse"] or picture is not None:
        compared = plan_of(session, comparison_of(read), **allowed)
        data["analysis"] = analyse(session.output, compared, picture)
    session.output.result(data, quiet=data["recipe_id"])


def report_data(plan: Any) -> dict[str, Any]:
    """A plan's report as plain data."""
    from sdmerge.recipe import recipe_id

    report = plan.report
    return {
        "recipe_id": recipe_id(plan.recipe),
        "family": report.family,
        "variant": report.variant,
        "inputs": [{"name": one.name, "path": one.written} for one in plan.inputs],
        "components": [
            {"name": part.name, "tensors": part.tensors, "merged": part.merged, "how": part.how}
            for part in report.components
        ],
        "merged": report.merged,
        "copied": report.copied,
        "filters": [
            {"parameter": taken.name, "filter": taken.filter, "tensors": taken.count}
            for taken in report.filters
        ],
        "left_out": {name: len(keys) for name, keys in report.left_out.items()},
        "read_bytes": report.read_bytes,
        "write_bytes": report.write_bytes,
        "peak_bytes": report.peak_bytes,
        "notes": list(report.notes),
    }


def print_report(output: Output, data: Mapping[str, Any]) -> None:
    """The report for people."""
    from sdmerge.tensors.space import readable

    kind = f"{data['family']} {data['variant']}".rstrip()
    output.text(f"{kind}: {data['merged']} tensors merged, {data['copied']} copied")
    output.table(
        "",
        ("component", "tensors", "merged", "how"),
        [
            (part["name"], part["tensors"], part["merged"], part["how"])
            for part in data["components"]
        ],
    )
    if any(taken["filter"] != "*" for taken in data["filters"]):
        rows = [
            (taken["parameter"], taken["filter"], taken["tensors"]) for taken in data["filters"]
        ]
        output.table("", ("parameter", "filter", "tensors"), rows)
    reads, writes = readable(data["read_bytes"]), readable(data["write_bytes"])
    output.text(
        f"reads {reads}, writes {writes}; a thread holds up to {readable(data['peak_bytes'])}"
    )
    for name, count in data["left_out"].items():
        output.text(f"note: {count} tensors of {name} play no part (EMA weights, position_ids)")
    for note in data["notes"]:
        output.text(f"note: {note}")
