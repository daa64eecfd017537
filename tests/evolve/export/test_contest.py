"""The test is run once, counted, kept, and shown; whoever wins is chosen on validation."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml
from histories import history
from PIL import Image

from sdmerge.errors import CorruptFile, InputError
from sdmerge.evolve.exam import Evaluation, Exam
from sdmerge.evolve.export import contest
from sdmerge.evolve.export.contenders import contenders
from sdmerge.evolve.export.gallery import gallery_sheet, write_gallery
from sdmerge.evolve.export.history import Contender
from sdmerge.evolve.export.winner import choose, winner_text
from sdmerge.evolve.run.baselines import Baseline
from sdmerge.recipe import parse_recipe
from sdmerge.sample.grid import read_cells, read_grid
from sdmerge.scoring.prompts import Line

LINES = tuple(Line(f"a <b> prompt {n}", f"caption {n}") for n in range(10))


def recipe(weight: float) -> Any:
    models = "merge_method: linear\nmodels: [{model: a}, {model: b}]"
    return parse_recipe(f"{models}\nparameters: {{weight: {weight}}}")


WINNER = Contender("winner", "winner", recipe(0.5), {"steps": 4})
PARENT = Contender("日本語", "parent", recipe(1.0), {"steps": 4})


class Marks:
    """Gives marks by formula: a recipe's weight, the prompt's place and the seed."""

    def __init__(self) -> None:
        self.exams: list[Exam] = []

    def __call__(self, one: Any, exam: Exam, sampling: Any, *, columns: Any = None,
                 keep: Any = None, cancel: Any = None) -> Evaluation:  # fmt: skip
        self.exams.append(exam)
        weight = float(one.stages[0].parameters["weight"][0].value)
        for place, own in enumerate(exam.seeds):
            for at in range(len(own)):
                keep(place, at, Image.new("RGB", (8, 8), (int(100 * weight), 10 * place, 50 * at)))
        rows = tuple(tuple(weight + place + (seed % 7) / 100 for seed in own)
                     for place, own in enumerate(exam.seeds))  # fmt: skip
        return Evaluation({"x": rows, "y": rows}, ("black",), {"total": 1.0})


def run(before: contest.TestRun | None = None) -> tuple[contest.TestRun, Exam]:
    exam = contest.exam_of(LINES, 3, 7, before)
    return contest.run_test([WINNER, PARENT], exam, Marks(), before=before), exam


def test_everybody_sits_the_same_exam() -> None:
    marks = Marks()
    exam = contest.exam_of(LINES, 3, 7, None)
    told: list[tuple[int, int, str]] = []
    done = contest.run_test([WINNER, PARENT], exam, marks, told=lambda *words: told.append(words))
    assert marks.exams == [exam, exam]
    assert told == [(0, 2, "winner"), (1, 2, "日本語"), (2, 2, "")]
    gaps = np.array(done.test.scores["日本語"]["x"]) - np.array(done.test.scores["winner"]["x"])
    assert gaps == pytest.approx(np.full(10, 0.5))
    assert (done.test.winner, done.test.prompts, done.test.pictures) == ("winner", 10, 30)
    assert done.test.flags == {"winner": 1, "日本語": 1}


def test_seeds_are_those_of_nothing_else() -> None:
    first = contest.exam_of(LINES, 4, 7, None)
    done = contest.run_test([WINNER], first, Marks())
    second = contest.exam_of(LINES, 4, 7, done)
    others = [Exam.of(LINES, 4, word, 7, n) for word in ("search", "validation", "look")
              for n in range(3)]  # fmt: skip
    seen = {seed for one in (second, *others) for own in one.seeds for seed in own}
    assert not seen & {seed for own in first.seeds for seed in own}


def test_runs_are_kept_and_counted(tmp_path: Path) -> None:
    assert contest.load(tmp_path) is None
    first, _ = run()
    contest.save(first, tmp_path)
    assert contest.load(tmp_path) == first
    second, _ = run(first)
    contest.save(second, tmp_path)
    found = contest.load(tmp_path)
    assert found is not None
    assert (found.runs, found.test.runs) == (2, 2)
    assert found.exam != first.exam


def test_another_winner_is_not_tested_by_the_way(tmp_path: Path) -> None:
    first, _ = run()
    contest.refuse_second(None, WINNER, again=False, where=tmp_path)
    contest.refuse_second(first, WINNER, again=False, where=tmp_path)
    other = replace(WINNER, recipe=recipe(0.25))
    contest.refuse_second(first, other, again=True, where=tmp_path)
    with pytest.raises(InputError, match="with another winner"):
        contest.refuse_second(first, other, again=False, where=tmp_path)


@pytest.mark.parametrize("text", ["", "[]", '{"version": 1}', '{"version": 9}', "{"])
def test_a_broken_file_is_not_taken_for_no_test(tmp_path: Path, text: str) -> None:
    (tmp_path / contest.FILE).write_text(text, "utf-8")
    with pytest.raises(CorruptFile, match=r"test\.json"):
        contest.load(tmp_path)


def test_the_gallery_is_a_grid(tmp_path: Path) -> None:
    assert gallery_sheet(tmp_path, tmp_path / "none.png") is False
    done, exam = run()
    for _ in range(2):  # the second takes the first one's place
        folder = write_gallery(tmp_path, done, [WINNER, PARENT], exam)
    grid, cells = read_grid(folder), read_cells(folder)
    assert grid.axis("model").values == ("winner", "日本語")
    assert grid.axis("prompt").labels == tuple(line.prompt for line in LINES[:8])
    assert len(cells) == 16
    one = next(cell for cell in cells.values()
               if (cell.values["model"], cell.values["prompt"]) == ("日本語", 3))  # fmt: skip
    with Image.open(folder / one.file) as image:
        assert image.getpixel((0, 0)) == (100, 30, 0)
    assert one.seed == exam.seeds[3][0]
    assert one.scores["x"] == pytest.approx(1 + 3 + (one.seed % 7) / 100)
    assert gallery_sheet(tmp_path, tmp_path / "sheet.png")
    with Image.open(tmp_path / "sheet.png") as image:
        assert image.width > 2 * 8


def test_the_winner_is_the_best_on_validation() -> None:
    study = history()
    chosen = choose(study)
    means = {id(one): np.mean(one.scores["clip_b"]) for one in study.validations
             if one.kind in ("incumbent", "centre")}  # fmt: skip
    assert means[id(chosen)] == max(means.values())
    lower = choose(replace(study, lower=("clip_b",)))
    assert means[id(lower)] == min(means.values())
    last = choose(replace(study, validations=study.validations[:2]))
    assert (last.generation, last.scores) == (11, {})
    assert "nothing was validated" in winner_text(recipe(0.5), last, study, {})
    with pytest.raises(InputError, match="no winner yet"):
        choose(replace(study, validations=(), trials=()))


def test_the_recipe_says_where_it_comes_from() -> None:
    study = replace(history(), name="a\nmerge_method: evil")
    text = winner_text(recipe(0.5), choose(study), study, {"steps": 4})
    data = yaml.safe_load(text)
    assert data["merge_method"] == "linear"
    assert "evolve" not in data
    assert parse_recipe(text) == recipe(0.5)
    head = [line for line in text.splitlines() if line.startswith("#")]
    assert any("12 trials" in line or "144 trials" in line for line in head)
    assert "# Drawn with steps 4." in head
    assert any("Chosen by clip_b on 32 validation prompts: 0.7" in line for line in head)
    assert any("models[ukiyoe].parameters.weight/IN01 = " in line for line in head)


def test_of_a_sweep_the_best_takes_part() -> None:
    names = {"日本語": "parent", "uniform soup": "soup", "task arithmetic 0.2": "sweep",
             "task arithmetic 0.8": "sweep", "start": "start", "winner": "added"}  # fmt: skip
    given = [Baseline(name, kind, recipe(0.1)) for name, kind in names.items()]  # type: ignore[arg-type]
    found = contenders(history(), recipe(0.5), {"steps": 4}, given, {"steps": 8})
    assert [one.name for one in found] == [
        "winner", "日本語", "uniform soup", "task arithmetic 0.8", "winner #2"
    ]  # fmt: skip
    assert [dict(one.sampling) for one in found] == [{"steps": 4}, *[{"steps": 8}] * 4]


def test_json_has_every_picture(tmp_path: Path) -> None:
    done, exam = run()
    contest.save(done, tmp_path)
    data = json.loads((tmp_path / contest.FILE).read_text("utf-8"))
    rows = data["contenders"][1]["scores"]["x"]
    assert rows == [[1 + place + (seed % 7) / 100 for seed in own]
                    for place, own in enumerate(exam.seeds)]  # fmt: skip
