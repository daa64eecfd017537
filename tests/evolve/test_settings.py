"""What `evolve:` says, typed, and every mistake with its line."""

from __future__ import annotations

import textwrap
from dataclasses import fields
from pathlib import Path

import pytest

from sdmerge.errors import RecipeError
from sdmerge.evolve.numbers import NUMBERS, Numbers
from sdmerge.evolve.settings import EngineChoice, Fitness, Settings, read_settings
from sdmerge.params import Param, Range
from sdmerge.recipe import Search, parse_recipe
from sdmerge.scoring.choice import Choice

TEXT = """
    merge_method: linear
    models: [{model: a}, {model: b}]
    evolve:
      prompts: {search: s.txt, validation: v.txt, test: t.txt}
      fitness:
        - {scorer: clip, model: judges/one, weight: 0.5}
        - scorer: aesthetic
      report: [{scorer: clip, model: far/away, name: other}]
      never_below: [{scorer: image_reward}]
      sampler: {steps: {search: [2, 8]}, guidance_scale: 0.0, images_per_prompt: 2}
      engine: {name: cma-es, population: 12}
      start: [best.yaml]
      trials: 500
      hours: 2
      trust_region: 0.25
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name in ("s.txt", "v.txt", "t.txt", "best.yaml"):
        (tmp_path / name).write_text("a star\n", "utf-8")
    (tmp_path / "judges/one").mkdir(parents=True)
    return tmp_path


def settings(text: str, folder: Path, **given: object) -> Settings:
    return read_settings(parse_recipe(textwrap.dedent(text).strip(), "r.yaml", folder), given)


def test_everything_is_read(folder: Path) -> None:
    found = settings(TEXT, folder)
    assert (found.prompts.search, found.prompts.test) == (folder / "s.txt", folder / "t.txt")
    beside = str(folder / "judges/one")
    assert found.fitness == (
        Fitness(Choice("clip", (("model", beside),)), 0.5),
        Fitness(Choice("aesthetic")),
    )
    assert found.report == (Choice("clip", (("model", "far/away"),), "other"),)
    assert found.never_below == (Choice("image_reward"),)
    assert found.sampling == {"steps": Search(2, 8, 5), "guidance_scale": 0.0}
    assert (found.engine.name, found.start) == ("cma-es", (folder / "best.yaml",))
    assert found.numbers == Numbers(500, 2.0, images_per_prompt=2, trust_region=0.25)


def test_little_is_enough(folder: Path) -> None:
    little = TEXT.partition("      fitness:")[0] + "      fitness: [{scorer: clip}]\n"
    found = settings(little, folder)
    assert (found.engine, found.report, found.sampling) == (EngineChoice(), (), {})
    assert found.numbers == Numbers(trials=200)
    assert settings(little, folder, hours=3).numbers == Numbers(hours=3.0)


def test_flags_come_last(folder: Path) -> None:
    assert settings(TEXT, folder, trials=7, batch=4).numbers.trials == 7
    with pytest.raises(Exception, match="trials = 0 is outside"):
        settings(TEXT, folder, trials=0)


def test_numbers_are_declared_once() -> None:
    assert list(NUMBERS) == [field.name for field in fields(Numbers)]
    plain = Numbers()
    for name, param in NUMBERS.items():
        own = getattr(plain, name)
        assert own is None or own == param.default


@pytest.mark.parametrize(
    ("old", "new", "line", "said"),
    [
        ("trials: 500", "trails: 500", 13, "Did you mean 'trials'?"),
        ("trials: 500", "trials: many", 13, "trials = 'many' should be a number"),
        ("trials: 500", "trials: 0", 13, "trials = 0 is outside"),
        ("trust_region: 0.25", "trust_region: 2", 15, "outside 0.001..1"),
        ("search: s.txt, ", "", 4, "prompts need 'search'"),
        ("s.txt", "x.txt", 4, "there is no file 'x.txt'"),
        ("validation: v.txt", "validate: v.txt", 4, "Did you mean 'validation'?"),
        ("best.yaml", "worst.yaml", 12, "there is no file 'worst.yaml'"),
        ("scorer: aesthetic", "scorer: aestetic", 7, "Did you mean 'aesthetic'?"),
        ("- scorer: aesthetic", "- model: x", 7, "this names no scorer"),
        ("weight: 0.5", "weight: much", 6, "weight = 'much' should be a number"),
        ("model: judges/one", "modle: judges/one", 6, "Did you mean 'model'?"),
        ("report: [{scorer", "report: [{scoree", 8, "this names no scorer"),
        ("[{scorer: image_reward}]", "[]", 9, "never_below names no scorer"),
        ("guidance_scale: 0.0", "guidance: 0.0", 10, "Did you mean 'guidance_scale'?"),
        ("guidance_scale: 0.0", "sampler: Eulr", 10, "Eulr"),
        ("guidance_scale: 0.0", "sampler: {search: [DDIM, Eulr]}", 10, "Eulr"),
        ("search: [2, 8]", "search: [2, 8], per: block", 10, "steps is one value here"),
        ("search: [2, 8]", "search: [0, 8]", 10, "steps = 0 is outside"),
        ("images_per_prompt: 2", "images_per_prompt: 0", 10, "images_per_prompt = 0 is outside"),
        ("name: cma-es", "nom: cma-es", 11, "engine needs a name"),
    ],
)
def test_mistakes_have_their_line(folder: Path, old: str, new: str, line: int, said: str) -> None:
    assert old in TEXT
    with pytest.raises(RecipeError) as raised:
        settings(TEXT.replace(old, new, 1), folder)
    assert said in str(raised.value)
    assert raised.value.where == f"r.yaml:{line}"


def test_what_is_needed_is_asked_for(folder: Path) -> None:
    for text in (TEXT.partition("    evolve:")[0], TEXT.replace("prompts:", "trials: 1 #")):
        with pytest.raises(RecipeError, match="evolve needs 'prompts'") as raised:
            settings(text.replace("      trials: 500\n", ""), folder)
        assert "fitness: [{scorer: clip}]" in str(raised.value)


def test_an_engines_options_are_its_own(folder: Path) -> None:
    params = (Param("population", "int", 8, "Candidates.", Range(4, 100)),)
    assert settings(TEXT, folder).engine.values(params) == {"population": 12}
    wrong = settings(TEXT.replace("population", "populaton"), folder).engine
    with pytest.raises(RecipeError, match=r"^r.yaml:11: cma-es has no parameter 'populaton'"):
        wrong.values(params)
    large = settings(TEXT.replace("12", "1200"), folder).engine
    with pytest.raises(RecipeError, match=r"^r.yaml:11: population = 1200 is outside 4..100"):
        large.values(params)
    assert settings(TEXT.replace("{name: cma-es, population: 12}", "tpe"), folder).engine == (
        EngineChoice("tpe", where="r.yaml:11")
    )
