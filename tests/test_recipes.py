"""Every recipe that ships plans on the samples, and the README says what is so."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest
from tiny import ROOT, cli

from samples.first import commands
from sdmerge.cli.main import COMMANDS
from sdmerge.manifest import manifest
from sdmerge.methods.__main__ import README, methods_table, with_table
from sdmerge.plan import plan
from sdmerge.recipe import load_recipe, parse_recipe

RECIPES = sorted((ROOT / "recipes").glob("*.yaml"))
ON_SAMPLES = [path for path in RECIPES if not path.stem.startswith("evo")]
"""The others are of published models (see test_evosdxl.py)."""
TEXT = README.read_text("utf-8")
GROUPS = ("lora", "embedding", "study", "runs")


@pytest.mark.parametrize("path", ON_SAMPLES, ids=lambda path: path.stem)
def test_recipe_plans(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)
    planned = plan(load_recipe(path))
    assert planned.family.name == "sd1"
    assert planned.report.merged > 0
    assert all(taken.count for taken in planned.report.filters)
    assert path.read_text("utf-8").startswith("# ")


def test_there_is_a_recipe_for_every_method() -> None:
    used = {stage.method for path in RECIPES for stage in load_recipe(path).stages}
    assert used == set(manifest())


def test_the_readmes_table_is_the_registrys() -> None:
    table = methods_table(manifest().values())
    assert table in TEXT
    assert with_table(TEXT, table) == TEXT


def shell_lines() -> list[list[str]]:
    """Every `sdmerge …` in a block of the README, comments and continuations resolved."""
    blocks = re.findall(r"^```(\w*)\n(.*?)^```$", TEXT, re.DOTALL | re.MULTILINE)
    text = "\n".join(block for language, block in blocks if not language).replace("\\\n", " ")
    lines = [shlex.split(line, comments=True) for line in text.splitlines()]
    return [words[1:] for words in lines if words[:1] == ["sdmerge"]]


def without_places(words: list[str]) -> list[str]:
    """The command behind the options that say where models are."""
    while words[0] in ("--models", "--save-to"):
        words = words[2:]
    return words


def test_the_readmes_commands_exist() -> None:
    lines = [without_places(words) for words in shell_lines()]
    assert {words[0] for words in lines} >= {"inspect", "merge", "plan", "show", "verify", "sample"}
    for words in lines:
        assert words[0] in COMMANDS
        options = [word for word in words if word.startswith("-")]
        named = words[:2] if words[0] in GROUPS else words[:1]
        text = cli(*named, "--help").out
        assert all(re.search(rf"(^|[ ,]){re.escape(option)}\b", text) for option in options), words


def test_the_readmes_recipes_plan(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)
    weights, layers = re.findall(r"```yaml\n(.*?)```", TEXT, re.DOTALL)
    for text, words in (
        (weights, ("text_encoder", "in04-out03", "attn", "*")),
        (layers, ("in07-out04", "*")),
    ):
        report = plan(parse_recipe(text)).report
        assert report.merged
        counts = {taken.filter: taken.count for taken in report.filters}
        assert all(counts[word] for word in words)


def test_the_readmes_links_lead_somewhere() -> None:
    links = re.findall(r"\]\(([^)#]+)\)", TEXT)
    local = [link for link in links if "://" not in link]
    assert local
    assert [link for link in local if not (ROOT / link).exists()] == []


def test_the_first_job_is_made_of_commands_that_parse(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)
    for arguments in commands(Path("out")):
        assert arguments[0] in COMMANDS
        paths = [word.removeprefix("@") for word in arguments if "/" in word and "out" not in word]
        assert all(Path(path).exists() for path in paths)
        text = cli(arguments[0], "--help").out
        assert all(option in text for option in arguments if option.startswith("-"))


@pytest.mark.parametrize("path", [ROOT / "README.md", ROOT / "CONTRIBUTING.md"], ids=str)
def test_prose_names_no_machine(path: Path) -> None:
    text = path.read_text("utf-8")
    assert "/work/" not in text
    assert "/home/" not in text
