"""Parameters that are lines of text: a file near the recipe, or a list in it."""

from __future__ import annotations

from pathlib import Path

import pytest
import tiny

from sdmerge.errors import FileError, PlanError, RecipeError
from sdmerge.plan import plan
from sdmerge.recipe import parse_recipe, to_yaml
from sdmerge.sinks.provenance import record


def recipe(prompts: str) -> str:
    model = tiny.words(1)
    said = f"parameters: {{prompts: {prompts}}}" if prompts else ""
    return f"merge_method: fisher\nmodels: [{{model: {model}}}, {{model: {tiny.words(2)}}}]\n{said}"


def prompts(text: str, folder: Path) -> str:
    (fit,) = plan(parse_recipe(text, folder=folder)).fits
    return str(dict(fit.values)["prompts"])


def test_a_file_and_a_list_say_the_same(tmp_path: Path) -> None:
    (tmp_path / "p.txt").write_text("a castle \n\n黒い円\n", "utf-8")
    assert prompts(recipe("p.txt"), tmp_path) == "a castle\n黒い円\n"
    assert prompts(recipe("[a castle, 黒い円]"), tmp_path) == "a castle\n黒い円\n"


def test_a_recipe_with_lines_is_written_and_read_again(tmp_path: Path) -> None:
    read = parse_recipe(recipe("[a castle, 黒い円]"), folder=tmp_path)
    assert parse_recipe(to_yaml(read), folder=tmp_path) == read


def test_what_is_asked_for_is_part_of_the_address(tmp_path: Path) -> None:
    one, other = (plan(parse_recipe(recipe(f"[{word}]"))) for word in ("a", "b"))
    assert set(one.keys.values()).isdisjoint(other.keys.values())


def test_a_result_keeps_the_lines_and_not_the_file(tmp_path: Path) -> None:
    file = tmp_path / "p.txt"
    file.write_text("a castle\n", "utf-8")
    made = plan(parse_recipe(recipe(str(file)), folder=tmp_path))
    said = record(made, tmp_path / "out")["sdmerge.recipe"]
    assert "p.txt" not in said
    assert "a castle" in said


def each(first: str, shared: str = "") -> str:
    """Prompts of one model's own, and others for all."""
    said = f"parameters: {{prompts: {shared}}}" if shared else ""
    return (
        f"merge_method: zip_gate\nbase_model: {tiny.words(0)}\nmodels:\n"
        f"- {{model: {tiny.words(1)}, name: z, parameters: {{prompts: {first}}}}}\n"
        f"- {{model: {tiny.words(2)}, name: a}}\n{said}"
    )


def test_every_model_may_have_lines_of_its_own(tmp_path: Path) -> None:
    (tmp_path / "p.txt").write_text("a castle\n", "utf-8")
    (fit,) = plan(parse_recipe(each("p.txt", "[a moat]"), folder=tmp_path)).fits
    # models of a method without order are sorted by name, and their values with them
    assert fit.names == ("a", "z")
    assert dict(fit.values)["prompts"] == ("a moat\n", "a castle\n")
    with pytest.raises(PlanError, match="the merge needs prompts"):
        plan(parse_recipe(each("p.txt"), folder=tmp_path))


def test_a_result_keeps_every_models_lines(tmp_path: Path) -> None:
    file = tmp_path / "p.txt"
    file.write_text("a castle\n", "utf-8")
    made = plan(parse_recipe(each(str(file), "[a moat]"), folder=tmp_path))
    said = record(made, tmp_path / "out")["sdmerge.recipe"]
    assert "p.txt" not in said
    again = parse_recipe(said, folder=tmp_path)
    (rule,) = again.stages[0].models[0].parameters["prompts"]
    assert rule.value == "a castle\n"


def test_what_is_missing_or_wrong_is_said(tmp_path: Path) -> None:
    with pytest.raises(PlanError, match="needs prompts"):
        plan(parse_recipe(recipe(""), folder=tmp_path))
    with pytest.raises(FileError, match=r"there is no file 'q\.txt'\n +Looked in: "):
        plan(parse_recipe(recipe("q.txt"), folder=tmp_path))
    with pytest.raises(RecipeError, match="should be a file or a list of lines"):
        parse_recipe(recipe("3"))
