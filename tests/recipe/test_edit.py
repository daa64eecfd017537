"""Edits by programs: the values are those that were asked for, and people's words stay."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

import pytest
import yaml

from sdmerge.recipe.edit import documents, edited, rewritten

TEXT = """\
# faces of A, light of B
merge_method: ties   # best so far
base_model: base
models:
  # the one with the faces
  - model: a
    parameters: {weight: 0.50}
  # too strong above 0.6
  - model: b     # from a friend
    name: light
    parameters:
      weight:
        - {filter: in04-out03, value: [0.2, 0.9]}   # out03 is the sky
        - {value: 0.4}
parameters:
  density: 0.3

seed: 7  # never change
"""
SAID = [line.partition("#")[2] for line in TEXT.splitlines() if "#" in line]
Change = Callable[[dict[str, Any]], object]


def changed(text: str, change: Change) -> str:
    data = documents(text)
    change(data[-1])
    before = copy.deepcopy(data)
    made = rewritten(text, data)
    assert yaml.safe_load(made) == before[0]  # whatever stays, the values are right
    return made


@pytest.mark.parametrize(
    ("change", "lost"),
    [
        (lambda one: one["parameters"].update(density=0.35), 0),
        (lambda one: one["models"][0]["parameters"].update(weight=0.7), 0),
        (lambda one: one["models"][1]["parameters"]["weight"][1].update(value=0.1), 0),
        (lambda one: one.update(dtype="float16"), 0),
        (lambda one: one["models"].append({"model": "c"}), 0),
        (lambda one: one["parameters"].update(weight={"per": "block", "values": {"IN00": 1.0}}), 0),
        (lambda one: one.pop("parameters"), 0),
        (lambda one: one.update(merge_method="linear"), 0),
        (lambda one: one["models"].pop(1), 4),  # what was said of it goes with it
    ],
)
def test_comments_and_layout_stay(change: Change, lost: int) -> None:
    made = changed(TEXT, change)
    kept = [words for words in SAID if f"#{words}" in made]
    assert len(kept) >= len(SAID) - lost
    assert "{filter: in04-out03, value: [0.2, 0.9]}" in made or lost
    assert "\n  - model: a" in made


def test_one_value_is_one_line() -> None:
    made = changed(TEXT, lambda one: one["parameters"].update(density=0.35)).splitlines()
    differing = [pair for pair in zip(TEXT.splitlines(), made, strict=True) if len({*pair}) > 1]
    assert differing == [("  density: 0.3", "  density: 0.35")]
    assert edited(TEXT, ["density=0.35"]).splitlines() == made
    assert edited(TEXT, ["density=0.3"]) == TEXT


@pytest.mark.parametrize(
    "text",
    [
        "merge_method: linear\nmodels: [{model: a}, {model: b}]\n",
        "merge_method: linear\nmodels:\n- model: a\n- model: b\n",
        "a: &x {model: a}\nmodels: [*x, *x]\n",  # both stand for one
        "<<: {seed: 1}\nmodels: [{model: a}, {model: b}]\n",
        "yes: on\nmodels: [{model: 'yes'}, {model: 1e-3}]\n",
        "--- \nmodels: [{model: a}, {model: b}]\n...\n",
        "models: []\n",
        "",
        "# nothing yet\n",
    ],
)
def test_the_values_are_right_whatever_the_text(text: str) -> None:
    data = documents(text) or [{}]
    models = data[-1].setdefault("models", [])
    for one in models:
        one["weight"] = 0.25
    models.append({"model": "no", "name": "1e5", "on": True, "at": "12:30:45"})
    data[-1]["seed"] = 1
    expected = copy.deepcopy(data)
    assert documents(rewritten(text, data)) == expected


def test_stages() -> None:
    text = "# one\nname: first\nmodels: [{model: a}]\n---\n# two\nmodels: [{model: first}]\n"
    made = edited(text, ["first.t=0.5", "t=0.25"])
    assert [one["parameters"] for one in documents(made)] == [{"t": 0.5}, {"t": 0.25}]
    assert "# one" in made
    assert "# two" in made
