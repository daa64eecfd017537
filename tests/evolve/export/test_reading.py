"""A real study's folder, searched on a formula, as a history."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from evolve.analytic import FIT, JUDGE, Weights, options, search
from sdmerge.evolve.export import figures
from sdmerge.evolve.export.history import History
from sdmerge.evolve.export.reading import read_history
from sdmerge.evolve.export.winner import choose
from sdmerge.evolve.ledger import Ledger
from sdmerge.evolve.run import Budget, Objective, Options, best


@pytest.fixture(scope="module")
def study(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("study") / "one"
    search(folder, options(), Budget(trials=40))
    return folder


def search_of(folder: Path, chosen: Options) -> Ledger:
    search(folder, chosen, Budget(trials=8))
    return Ledger(folder)


def read(study: Path) -> History:
    return read_history(Ledger(study), options(), Weights().genes)


def test_every_candidate_has_its_score(study: Path) -> None:
    found, ledger = read(study), Ledger(study)
    assert len(found.searched) == 40
    assert [one.number for one in found.searched] == list(range(40))
    for one in found.searched:
        row = next(row for key, row in ledger.rows.items()
                   if key.role == "candidate" and row.candidate == one.candidate)  # fmt: skip
        assert row.evaluation is not None
        assert one.objectives[0] == pytest.approx(row.evaluation.mean("fit"))
    assert [one.name for one in found.baselines] == ["start"]
    assert (found.name, found.judge, found.fitness, found.report) == (
        "one", "fit", ("fit",), ("judge",)
    )  # fmt: skip
    assert len(found.incumbents) == len({one.generation for one in found.searched})


def test_validations_are_by_prompt(study: Path) -> None:
    found = read(study)
    assert {one.kind for one in found.validations} >= {"incumbent", "centre"}
    for one in found.validations:
        assert len(one.scores["judge"]) == 6
        if one.kind == "incumbent":
            assert found.searched[one.trial].candidate == one.candidate  # type: ignore[index]


def test_the_winner_is_the_one_that_best_prints(study: Path) -> None:
    chosen, printed = choose(read(study)), best(Ledger(study), [FIT])
    assert printed is not None
    assert dict(chosen.candidate) == dict(printed[0])


def test_scorers_whose_lower_numbers_are_better(study: Path) -> None:
    lower = options(objectives=(Objective("fit", (("fit", -1.0),)),), report=(JUDGE,))
    found = read_history(Ledger(study), lower, Weights().genes)
    assert found.lower == ("fit",)
    means = [np.mean(one.scores["fit"]) for one in found.validations]
    assert np.mean(choose(found).scores["fit"]) == min(means)


def test_sums_of_scorers_are_a_column(tmp_path: Path) -> None:
    terms = (("fit", 1.0), ("judge", 0.5))
    both = options(objectives=(Objective("fit + judge", terms),), report=())
    found = read_history(search_of(tmp_path / "both", both), both, Weights().genes)
    assert (found.judge, found.fitness) == ("fit + judge", ("fit", "judge"))
    one = found.validations[-1]
    sums = np.array(one.scores["fit"]) + 0.5 * np.array(one.scores["judge"])
    assert one.scores["fit + judge"] == pytest.approx(sums)


def test_a_study_can_be_drawn_while_it_runs(study: Path) -> None:
    figures.png(figures.curve(read(study)))
