"""`sdmerge methods`, `families`, `scorers` and `engines`: what there is."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import click

from sdmerge.cli.main import Session, output_options
from sdmerge.manifest import MethodSpec, Rotation, Seen, manifest
from sdmerge.params import WORDS, Param
from sdmerge.scoring.spec import Need, ScorerSpec, find_spec, scorer_manifest

if TYPE_CHECKING:
    from sdmerge.evolve.engine.spec import EngineSpec


@click.command("methods")
@click.argument("name", required=False)
@output_options
@click.pass_obj
def methods_command(session: Session, name: str | None) -> None:
    """List the merge methods, or explain NAME: formula, paper, parameters."""
    specs = manifest()
    if name is None:
        rows = [(spec.name, spec.title, spec.summary) for spec in specs.values()]
        session.output.table("", ("method", "title", "what it does"), rows)
        data = {"methods": [dataclasses.asdict(spec) for spec in specs.values()]}
        session.output.result(data, quiet="\n".join(specs))
        return
    spec = specs[name]
    session.output.result(dataclasses.asdict(spec), explain_method(spec), quiet=spec.summary)


_KINDS: Mapping[Seen, str] = {
    "weight": "weights",
    "delta": "differences from base_model",
    "either": "weights (or differences from base_model, if the recipe has one)",
}


def explain_method(spec: MethodSpec) -> str:
    """A method for people."""
    kind = _KINDS[spec.space]
    fewest, most = spec.models
    count = f"{fewest}" if most == fewest else f"{fewest} or more"
    models = "model" if most == 1 else "models"
    lines = [f"{spec.title} ({spec.name})", spec.summary, ""]
    lines += [spec.details, ""] if spec.details else []
    lines += [f"Merges {kind} of {count} {models}. {spec.paper}"]
    lines += [_turning(spec.rotation)] if spec.rotation else []
    lines += ["", "Parameters"]
    return "\n".join([*lines, *(_explain(param) for param in spec.params)])


def _turning(rotation: Rotation) -> str:
    """What a rotation means to a user."""
    unless = f", unless {rotation.unless[0]} is {rotation.unless[1]}" if rotation.unless else ""
    return f"Merges LoRAs by their factors, exactly and without large matrices{unless}."


def _explain(param: Param) -> str:
    if param.choices:
        values = " | ".join(param.choices)
    elif param.range is not None:
        low, high = param.range.allowed
        usual = f", usually {param.range.low:g}..{param.range.high:g}" if param.range.limits else ""
        values = f"{low:g}..{high:g}{usual}"
    elif param.kind in WORDS:
        values = WORDS[param.kind]
    else:
        values = "true | false"
    each = ", one per model" if param.per_model else ""
    other = f"; mergekit's default is {param.mergekit}" if param.mergekit is not None else ""
    return f"  {param.name} = {param.default}  ({values}{each}{other})\n      {param.doc}"


@click.command("scorers")
@click.argument("name", required=False)
@output_options
@click.pass_obj
def scorers_command(session: Session, name: str | None) -> None:
    """List the scorers, or explain NAME: formula, checkpoint, what it needs, parameters."""
    if name is None:
        specs = [scorer_manifest()[name] for name in sorted(scorer_manifest())]
        rows = [(spec.name, spec.checkpoint, spec.summary) for spec in specs]
        session.output.table("", ("scorer", "checkpoint", "what it does"), rows)
        data = {"scorers": [dataclasses.asdict(spec) for spec in specs]}
        session.output.result(data, quiet="\n".join(spec.name for spec in specs))
        return
    spec = find_spec(name)
    session.output.result(dataclasses.asdict(spec), explain_scorer(spec), quiet=spec.summary)


_NEEDS: Mapping[Need, str] = {
    "caption": "captions (--prompts)",
    "reference": "references (--references, or in --prompts)",
    "source": "the pictures that these were made from (--references, or in --prompts)",
}


def explain_scorer(spec: ScorerSpec) -> str:
    """A scorer for people."""
    (low, high), worst = spec.range, spec.worst
    better = "higher" if spec.higher_is_better else "lower"
    needs = " and ".join(_NEEDS[need] for need in spec.needs)
    lines = [f"{spec.title} ({spec.name})", spec.summary, ""]
    lines += [spec.details, ""] if spec.details else []
    how = "one by one" if spec.of == "picture" else "of each prompt as a set"
    lines += [f"Scores pictures {how}. {spec.paper}".rstrip()]
    lines += [f"Usually {low:g}..{high:g}, {better} is better; degenerate pictures: {worst:g}."]
    lines += [f"Published model: {spec.checkpoint}."] if spec.checkpoint else []
    lines += [f"Needs {needs}."] if needs else []
    if spec.params:
        lines += ["", "Parameters", *(_explain(param) for param in spec.params)]
    return "\n".join(lines)


@click.command("engines")
@click.argument("name", required=False)
@output_options
@click.pass_obj
def engines_command(session: Session, name: str | None) -> None:
    """List the engines that a search may use, or explain NAME: paper, genes, scores, parameters."""
    from sdmerge.evolve.engines import ENGINES

    if name is None:
        specs = [ENGINES[name] for name in sorted(ENGINES)]
        rows = [(one.name, _genes_of(one), _scores_of(one), one.summary) for one in specs]
        session.output.table("", ("engine", "genes", "scores", "what it does"), rows)
        data = {"engines": [_engine_data(spec) for spec in specs]}
        session.output.result(data, quiet="\n".join(spec.name for spec in specs))
        return
    spec = ENGINES[name]
    session.output.result(_engine_data(spec), explain_engine(spec), quiet=spec.summary)


def _engine_data(spec: EngineSpec) -> dict[str, Any]:
    data = {field.name: getattr(spec, field.name) for field in dataclasses.fields(spec)}
    del data["body"]
    return data | {"params": [dataclasses.asdict(param) for param in spec.params]}


def _genes_of(spec: EngineSpec) -> str:
    return ", ".join(spec.kinds)


def _scores_of(spec: EngineSpec) -> str:
    fewest, most = spec.objectives
    return f"{fewest}" if fewest == most else f"{fewest} to {most}"


def explain_engine(spec: EngineSpec) -> str:
    """An engine for people."""
    lines = [f"{spec.title} ({spec.name})", spec.summary, ""]
    lines += [spec.details, ""] if spec.details else []
    lines += [f"Genes: {_genes_of(spec)}. Scores: {_scores_of(spec)}. {spec.paper}".rstrip()]
    lines += [f"Needs {_FED[need]}." for need in spec.needs]
    return "\n".join([*lines, "", "Parameters", *(_explain(param) for param in spec.params)])


_FED = {"prompts": "a score per prompt", "votes": "people who compare, or scores that do"}


@click.command("families")
@click.argument("name", required=False)
@output_options
@click.pass_obj
def families_command(session: Session, name: str | None) -> None:
    """List the model families, or explain NAME: components, blocks, variants."""
    from sdmerge.families import FAMILIES

    if name is None:
        rows = [(family.name, family.title, ", ".join(family.by_name)) for family in FAMILIES]
        session.output.table("", ("family", "title", "components"), rows)
        data = {"families": [_family_data(family) for family in FAMILIES]}
        session.output.result(data, quiet="\n".join(family.name for family in FAMILIES))
        return
    data = _family_data(FAMILIES.get(name))
    text = "\n".join(f"{key}: {_words(value)}" for key, value in data.items())
    session.output.result(data, text, quiet=name)


def _words(value: Any) -> str:
    return value if isinstance(value, str) else ", ".join(value)


def _family_data(family: Any) -> dict[str, Any]:
    return {
        "name": family.name,
        "title": family.title,
        "pipeline": family.pipeline,
        "components": list(family.by_name),
        "blocks": list(family.blocks),
        "variants": [variant.name for variant in family.variants],
        "layouts": sorted(
            {layout for component in family.components for layout in component.layouts}
        ),
    }
