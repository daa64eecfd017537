"""Recipes that several tests read, and what is shorter to write once."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence

import pytest

from sdmerge.errors import RecipeError
from sdmerge.params import Scalar
from sdmerge.recipe import ModelRef, Recipe, Stage, Value, parse_recipe

TWO = """
    models:
      - model: a.safetensors
      - model: b.safetensors
"""
TIES = f"""
    merge_method: ties
    base_model: base
    {TWO.strip()}"""

DESIGN = """
    merge_method: ties
    base_model: samples/models/base
    models:
      - model: samples/models/japanese
        name: ja                                  # alias; default is the file stem
        parameters: {weight: 0.7, density: 0.5}
      - model: samples/loras/ukiyoe.safetensors   # a LoRA among checkpoints
        parameters:
          weight:                                 # first match wins, as in mergekit
            - {filter: text_encoder, value: 0.0}
            - {filter: in04-out03, value: [0.2, 0.9]}
            - {filter: attn, value: 0.9}
            - {value: {search: [0.0, 1.5], init: 0.5, per: block}}
    parameters: {normalize: true, lambda: 1.0}
    components:
      text_encoder: {take: ja}
      tokenizer: {take: ja}
      text_encoder_2: {merge_method: linear, parameters: {weight: 0.5}}
    output: {layout: diffusers}
    dtype: float16
    seed: 0
    grid: {x: 'models[ja].parameters.weight=0:1:0.25', y: 'prompt=@prompts.txt', seeds: 2}
    evolve:
      prompts: {search: s.txt, validation: v.txt, test: t.txt}
      fitness: [{scorer: clip, model: samples/scorers/clip_a, weight: 1.0}]
      report:  [{scorer: clip, model: samples/scorers/clip_b}]
      sampler: {steps: 4, guidance_scale: 0.0, images_per_prompt: 1}
      engine: cma-es
      trials: 200
"""
"""The design's own example, its prompt files named."""


def read(text: str, *settings: str) -> Recipe:
    """The recipe that indented text says."""
    return parse_recipe(textwrap.dedent(text).strip(), "r.yaml", settings=settings)


def stage(text: str, *settings: str) -> Stage:
    """The only stage of a recipe."""
    (only,) = read(text, *settings).stages
    return only


def value(parameter: str, method: str = "ties", name: str = "weight") -> Value:
    """What one parameter's YAML says."""
    (rule,) = stage(
        f"{TIES}\n    parameters: {{{name}: {parameter}}}".replace("ties", method)
    ).parameters[name]
    return rule.value


def number(ref: ModelRef, name: str) -> Scalar:
    """A model's own parameter that is one number."""
    (rule,) = ref.parameters[name]
    assert isinstance(rule.value, bool | int | float | str)
    return rule.value


def complaint(text: str, *settings: str) -> RecipeError:
    """The error that a recipe gives."""
    with pytest.raises(RecipeError) as raised:
        read(text, *settings)
    return raised.value


def says(error: RecipeError, line: int | str, *parts: str) -> None:
    """Check that the error is at the line and that its text has these parts."""
    where = f"r.yaml:{line}" if isinstance(line, int) else line
    assert error.where == where, str(error)
    for part in parts:
        assert part in str(error), str(error)


def names(models: Sequence[ModelRef]) -> list[str]:
    return [ref.name for ref in models]
