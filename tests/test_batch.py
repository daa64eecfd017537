"""Names of a batch: filled from what each merge is, and checked before any work."""

from __future__ import annotations

import re

import pytest

from sdmerge.batch import MOST, Named, names, points
from sdmerge.errors import InputError
from sdmerge.recipe import parse_recipe, recipe_id

TEXT = """\
merge_method: ties
base_model: folder/base.safetensors
models:
  - {model: a.safetensors, parameters: {weight: 0.5}}
  - {model: b.safetensors, name: light}
parameters: {weight: 0.75, density: {search: [0.1, 0.5], init: 0.2}, normalize: false}
seed: 4
"""


def one(title: str = "faces", **values: float) -> Named:
    return Named(title, parse_recipe(TEXT, "r.yaml"), values)


@pytest.mark.parametrize(
    ("template", "name"),
    [
        ("{name}-{method}", "faces-ties"),
        ("{base}+{models}", "base+a+light"),
        ("{weight[a]},{weight[light]},{weight[1]}", "0.5,0.75,0.75"),
        ("{density}-{lambda}-{normalize}-{seed}", "0.2-1-false-4"),
        ("{parameters.density} of {trim}", "0.2 of tensor"),
        ("{id}", recipe_id(parse_recipe(TEXT, "r.yaml"))[:8]),
        ("t{t}", "t0.25"),
    ],
)
def test_fields(template: str, name: str) -> None:
    assert names(template, [one(t=0.25)]) == [name]


@pytest.mark.parametrize(
    ("template", "what"),
    [
        ("{densty}", "there is no field 'densty'.*\n.*Did you mean 'density'"),
        ("{weight[c]}", "faces has no model 'c'"),
        ("{weight}", "every model of faces has a 'weight' of its own"),
        ("{}", "there is no field ''"),
    ],
)
def test_fields_that_cannot_be_filled(template: str, what: str) -> None:
    with pytest.raises(InputError) as caught:
        names(template, [one()])
    assert re.search(what, str(caught.value))


def test_what_is_no_name() -> None:
    curve = parse_recipe(TEXT + "", "r.yaml", None, ["density={preset: GRAD_V}"])
    with pytest.raises(InputError, match="is not one value"):
        names("{density}", [Named("x", curve)])
    with pytest.raises(InputError, match="cannot be part of a file's name"):
        names("{name}", [one("a/b")])


def test_two_merges_need_two_names() -> None:
    both = [one("faces", t=0.0), one("faces", t=0.5), one("light", t=0.5)]
    assert names("{name}-{t}", both) == ["faces-0", "faces-0.5", "light-0.5"]
    with pytest.raises(
        InputError, match="2 merges would be called 'faces': faces, faces"
    ) as caught:
        names("{name}", both)
    assert "{t}" in caught.value.hint


def test_points() -> None:
    found = points(["t=0:1:0.5", "models[a].parameters.weight=0.1,0.2"])
    assert [(one.values["t"], one.values["weight[a]"]) for one in found] == [
        (0, 0.1), (0, 0.2), (0.5, 0.1), (0.5, 0.2), (1, 0.1), (1, 0.2),
    ]  # fmt: skip
    assert found[3].settings == ("t=0.5", "models[a].parameters.weight=0.2")
    assert [one.settings for one in points([])] == [()]
    with pytest.raises(InputError, match="changes no merge"):
        points(["steps=4,8"])
    with pytest.raises(InputError, match=f"{MOST:,} is the most"):
        points(["t=0:1:0.01", "density=0:1:0.01"])
