"""Axes: every form that people write, and what is wrong with others."""

from __future__ import annotations

from pathlib import Path

import pytest

from sdmerge.errors import InputError
from sdmerge.sample.grid import Value
from sdmerge.sample.settings import Sampling
from sdmerge.sample.sweep.axis import Part, models_axis, prompts_axis, read_axis, seeds_axis
from sdmerge.sample.sweep.cells import arranged, spots
from sdmerge.scoring.prompts import Line

A, B = Line("a", "a"), Line("b", "b")


@pytest.mark.parametrize(
    ("text", "name", "values"),
    [
        ("parameters.t=0:1:0.25", "t", (0, 0.25, 0.5, 0.75, 1)),
        ("t=0:1:0.1", "t", (0, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1)),
        ("t=1:0:-0.5", "t", (1, 0.5, 0)),
        ("t=-0.5:0.6:0.5", "t", (-0.5, 0, 0.5)),
        ("t=0.5:0.5:1", "t", (0.5,)),
        ("t = 0:3e-1:1e-1", "t", (0, 0.1, 0.2, 0.3)),
        ("t=0.3, 0.7", "t", (0.3, 0.7)),
        ("models[1].parameters.weight=0.4,1", "weight[1]", (0.4, 1)),
        ("models[ja].parameters.weight=2", "weight[ja]", (2,)),
        ("both.models[ja].parameters.weight=2", "both weight[ja]", (2,)),
        ("both.parameters.t=0.1,0.2", "both.parameters.t", (0.1, 0.2)),
        ("merge_method=slerp,nuslerp", "merge_method", ("slerp", "nuslerp")),
        ("normalize=true,false", "normalize", (True, False)),
        ("t={preset: GRAD_V},[0, 1]", "t", ("{preset: GRAD_V}", "[0, 1]")),
        ('t={mbw: "0,1"},0', "t", ('{mbw: "0,1"}', 0)),
        ("recipe.seed=1,2", "recipe.seed", (1, 2)),
        ("seed=3:5:1", "seed", (3, 4, 5)),
        ("steps=4,8", "steps", (4, 8)),
        ("guidance_scale=1:3:1", "guidance_scale", (1, 2, 3)),
        ("sampler=ddim,euler A", "sampler", ("DDIM", "Euler a")),
        ("negative_prompt=(bad,blurry", "negative_prompt", ("(bad", "blurry")),
        ("size=64x64,96X64", "size", ("64x64", "96x64")),
        ("model=a/,b.c/d.yaml,d.safetensors", "model", ("a", "b.c/d.yaml", "d.safetensors")),
        ("prompt=a castle,, by the sea,a boat", "prompt", ("a castle, by the sea", "a boat")),
    ],
)
def test_forms(text: str, name: str, values: tuple[Value, ...]) -> None:
    axis = read_axis(text).axis
    assert axis.name == name
    assert axis.values == values
    assert [type(value) for value in axis.values if isinstance(value, bool)] == [
        type(value) for value in values if isinstance(value, bool)
    ]
    assert axis.path == text.partition("=")[0].strip()


def test_what_values_say_of_a_cell() -> None:
    def parts(text: str) -> tuple[Part, ...]:
        return read_axis(text).parts

    settings = [part.settings for part in parts("t={preset: GRAD_V},0:1")]
    assert settings == [("t={preset: GRAD_V}",), ("t=0:1",)]
    assert parts("recipe.seed=7")[0] == Part(settings=("seed=7",))
    assert parts("seed=7")[0] == Part(seed=7)
    assert parts("size=64x96")[0] == Part(sampling={"width": 64, "height": 96})
    assert parts("sampler=euler a")[0] == Part(sampling={"sampler": "Euler a"})
    assert parts("model=x.yaml")[0] == Part(model="x.yaml")
    assert read_axis("model=m/a.safetensors,m/a.yaml,b.v1/").axis.labels == ("a", "a#2", "b.v1")


def test_files(tmp_path: Path) -> None:
    (tmp_path / "p.txt").write_text("a castle, by the sea\n\n(a boat\n", "utf-8")
    (tmp_path / "t.txt").write_text("0.25\n{preset: GRAD_V}\n", "utf-8")
    (tmp_path / "p.jsonl").write_text('{"prompt": "a", "caption": "b"}\n', "utf-8")
    assert read_axis("prompt=@p.txt", "", [tmp_path]).axis.values == (
        "a castle, by the sea",
        "(a boat",
    )
    assert read_axis(f"t=@{tmp_path / 't.txt'}").axis.values == (0.25, "{preset: GRAD_V}")
    assert read_axis("prompt=@p.jsonl", "", [tmp_path]).parts[0].line == Line("a", "b")


@pytest.mark.parametrize(
    ("text", "phrases"),
    [
        ("t", ["PATH=VALUES", "parameters.t=0:1:0.25"]),
        ("=1", ["PATH=VALUES"]),
        ("t=", ["empty value"]),
        ("t=1,", ["empty value", "twice"]),
        ("t=0:1", ["start:stop:step", "0:1:STEP"]),
        ("t=0:1:0", ["empty range", "more than 0"]),
        ("t=1:0:0.1", ["empty range", "less than 0"]),
        ("t=0:1:1e-9", ["1,000,000,001 values", "10,000"]),
        ("t=1,1.0", ["value 1.0 twice"]),
        ("prompt=@none.txt", ["no file 'none.txt'"]),
        ("steps=0,4", ["steps"]),
        ("sampler=Oiler", ["no sampler 'Oiler'", "Euler"]),
        ("size=63x64", ["'63x64' is not a size"]),
        ("seed=-1", ["'-1' is no seed"]),
        ("width=65", ["multiple of 8"]),
    ],
)
def test_refusals(text: str, phrases: list[str]) -> None:
    with pytest.raises(InputError) as caught:
        read_axis(text, f"--x {text}")
    said = str(caught.value)
    assert all(phrase in said for phrase in (*phrases, f"--x {text}")), said


def names(sides: tuple[object, ...]) -> list[str]:
    return [side.axis.name for side in sides]  # pyright: ignore


def test_axes_find_their_places() -> None:
    t, steps = read_axis("t=0,1"), read_axis("steps=4,8")
    implied = [prompts_axis([A, B]), models_axis(["m", "n"]), seeds_axis([0, 1])]
    single = [prompts_axis([A]), models_axis(["m"]), seeds_axis([0])]
    assert names(arranged([t, None, None], implied)) == ["t", "prompt", "model", "seed"]
    assert names(arranged([None, t, steps], implied)) == ["prompt", "t", "steps", "model", "seed"]
    assert names(arranged([t, implied[2], None], implied)) == ["t", "seed", "prompt", "model"]
    assert names(arranged([None, t, None], single)) == ["t"]
    assert names(arranged([None, None, None], single)) == ["prompt"]
    one, two = read_axis("a.parameters.t=1"), read_axis("models[a].parameters.t=1")
    assert names(arranged([one, two, None], single)) == ["a.parameters.t", "t[a]"]


@pytest.mark.parametrize(
    ("one", "two", "what"),
    [
        ("t=0,1", "parameters.t=0.5", "t already"),
        ("size=64x64", "width=64,128", "width already"),
        ("steps=1", "steps=2", "steps already"),
    ],
)
def test_two_axes_of_one_thing(one: str, two: str, what: str) -> None:
    with pytest.raises(InputError, match=what):
        arranged([read_axis(one), read_axis(two), None], [])


def test_cells_cost_least_from_one_to_the_next() -> None:
    """Recipes change last, then samplers, prompts, seeds, however the axes stand."""
    sides = arranged(
        [seeds_axis([7, 8]), read_axis("t=0,1"), prompts_axis([A, B])], [models_axis(["m"])]
    )
    found = spots((*sides, read_axis("steps=4,8")), Part(model="m", sampling={"clip_skip": 2}))
    assert len(found) == 16
    told = [(one.settings, one.sampling.steps, one.line.prompt, one.seed) for one in found]
    assert told == sorted(told)
    assert found[1].values == {"prompt": "a", "seed": 8, "t": 0, "steps": 4}
    assert found[0].sampling == Sampling(steps=4, clip_skip=2)


def test_too_many_cells_and_no_prompt() -> None:
    sides = [read_axis("t=0:1:0.001"), prompts_axis([A, B]), seeds_axis(range(5))]
    with pytest.raises(InputError, match=r"10,010 cells \(1001 × 2 × 5\); 10,000 is the most"):
        spots(sides, Part())
    with pytest.raises(InputError, match="there is no prompt"):
        spots([read_axis("t=0,1")], Part())
