"""The study's folder: what is there after a run is what the run knew, whatever became of it."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import optuna
import pytest
from hypothesis import given
from hypothesis import strategies as st
from optuna.storages import JournalStorage
from optuna.storages.journal import JournalFileBackend

from evolve.analytic import Formula, options, recipe_of, search, told_of
from sdmerge.errors import CorruptFile, FileError, InputError
from sdmerge.evolve.exam import Evaluation, Exam
from sdmerge.evolve.genes import Gene
from sdmerge.evolve.ledger import (
    Description,
    Entry,
    Generation,
    Journal,
    Key,
    Ledger,
    Row,
    State,
    Trial,
    check_database,
    claimed,
    create,
    read_description,
    refuse_changed,
)
from sdmerge.evolve.run import Budget
from sdmerge.evolve.workers import Local
from sdmerge.scoring.prompts import Line

FLOATS = st.floats(allow_nan=False, allow_infinity=False)
GENES = (
    Gene("weight", "float", 0.5, low=-1.0, high=2.0),
    Gene("steps", "int", 4, low=1, high=9),
    Gene("method", "choice", "ties", choices=("ties", "slerp", True)),
)


def row(number: int = 0, score: float = 0.25) -> Row:
    evaluation = Evaluation({"fit": ((score, 1 / 3), (2.0, -1e-300))}, ("black",), {"total": 0.5})
    return Row(Key("candidate", number, 3, 1), "e", {"weight": score, "on": True}, "", evaluation)


@given(st.lists(FLOATS, min_size=1, max_size=5), FLOATS)
def test_rows_and_states_come_back_bit_for_bit(scores: list[float], weight: float) -> None:
    found = Row(
        Key("validation", 2), "e", {"weight": weight}, "a name",
        Evaluation({"fit": (tuple(scores),)}),
    )  # fmt: skip
    assert Row.from_data(found.to_data()) == found
    told = Generation(
        4, (Entry(0, "kept", tuple(scores), tuple(scores)),), {"weight": weight}, weight,
        notes=("x",),
    )  # fmt: skip
    assert Generation.from_data(told.to_data()) == told


def test_a_ledger_read_again_knows_the_same(tmp_path: Path) -> None:
    ledger = Ledger(tmp_path)
    failed = Row(Key("baseline", -1), "e", None, "ja", error="it broke")
    ledger.record(row(), failed)
    ledger.record(row(1))
    state = State(3, 12, ({"weight": 0.1},), bytes(range(256)), (Entry(0, "below", (1.0,), ()),))
    ledger.save_state(state)
    ledger.close(Generation(0, (), {"weight": 1.0}, 0.5, won=True, cut=True))
    again = Ledger(tmp_path)
    assert again.rows == ledger.rows == {one.key: one for one in (row(), failed, row(1))}
    assert again.generations == ledger.generations
    assert again.state() == state


def test_a_ledger_sees_what_another_process_adds(tmp_path: Path) -> None:
    reader, writer = Ledger(tmp_path), Ledger(tmp_path)
    assert not reader.refresh()
    for number in range(3):
        writer.record(row(number))
        assert reader.refresh()
        assert reader.rows == writer.rows
        assert not reader.refresh()
    path = tmp_path / "evaluations.jsonl"
    whole = path.read_bytes()
    path.write_bytes(whole + whole.splitlines()[0][:20])
    assert not reader.refresh()
    writer.record(row(3))
    writer.close(Generation(0, (), {"weight": 1.0}, 0.5))
    assert reader.refresh()
    assert reader.rows == writer.rows
    assert reader.generations == writer.generations
    with path.open("a") as file:
        file.write("nonsense\n")
    with pytest.raises(CorruptFile, match=r"evaluations\.jsonl:5"):
        reader.refresh()


def test_of_two_lines_about_one_place_the_later_counts(tmp_path: Path) -> None:
    Ledger(tmp_path).record(row(score=1.0), row(score=2.0))
    (found,) = Ledger(tmp_path).rows.values()
    assert found.candidate == {"weight": 2.0, "on": True}


def test_half_a_line_of_a_killed_run_is_as_if_never_written(tmp_path: Path) -> None:
    ledger = Ledger(tmp_path)
    ledger.record(row(0), row(1))
    path = tmp_path / "evaluations.jsonl"
    whole = path.read_bytes()
    for cut in range(len(whole.splitlines()[0]) + 1, len(whole) - 1, 7):
        path.write_bytes(whole[:cut])
        assert list(Ledger(tmp_path).rows) == [row(0).key]
    Ledger(tmp_path).record(row(1))
    assert path.read_bytes() == whole


@pytest.mark.parametrize("line", ["{}", '{"role": 1}', "nonsense", '{"role": "candidate"}'])
def test_a_line_that_is_none_names_its_place(tmp_path: Path, line: str) -> None:
    Ledger(tmp_path).record(row())
    path = tmp_path / "evaluations.jsonl"
    path.write_text(path.read_text() + line + "\n")
    with pytest.raises(CorruptFile, match=r"evaluations\.jsonl:2"):
        Ledger(tmp_path)


@pytest.mark.parametrize("text", ["", "{}", '{"generation": 1}', "\x00"])
def test_a_state_that_is_none_is_said_to_be_so(tmp_path: Path, text: str) -> None:
    (tmp_path / "state.bin").write_text(text)
    with pytest.raises(CorruptFile, match="no state of a search"):
        Ledger(tmp_path).state()


def test_exams_are_kept_once(tmp_path: Path) -> None:
    exam = Exam.of([Line("a", "b")], 2, "x")
    ledger = Ledger(tmp_path)
    names = {ledger.announce(exam, "generation", 0), ledger.announce(exam, "generation", 0)}
    assert names == {exam.id} == {Ledger(tmp_path).announce(exam, "generation", 0)}
    assert len((tmp_path / "exams.jsonl").read_text().splitlines()) == 1


def test_one_run_per_study(tmp_path: Path) -> None:
    with claimed(tmp_path / "s"), pytest.raises(FileError, match="another run"):
        search(tmp_path / "s", options(), Budget(trials=3))
    with claimed(tmp_path / "s"):
        pass


def test_a_changed_study_is_refused_with_what_changed(tmp_path: Path) -> None:
    recipe = recipe_of((0.1, 0.2))
    fixed = {"seed": 1, "prompts": {"search": "9 prompts, ab", "validation": "none"}}
    first = Description.of(recipe, fixed)
    with claimed(tmp_path):
        create(tmp_path, first, resume=False)
        create(tmp_path, first, resume=True)
        with pytest.raises(InputError, match="holds a study"):
            create(tmp_path, first, resume=False)
        before = (tmp_path / "study.yaml").read_bytes()
        prompts = {**fixed, "prompts": {"search": "8 prompts, cd", "validation": "none"}}
        with pytest.raises(InputError, match=r"prompts\.search: 9 prompts, ab there, 8 prompts"):
            create(tmp_path, Description.of(recipe, prompts), resume=True)
        with pytest.raises(InputError, match=r"recipe: .*0\.2.* there, .*0\.3.* now"):
            create(tmp_path, Description.of(recipe_of((0.1, 0.3)), fixed), resume=True)
    assert (tmp_path / "study.yaml").read_bytes() == before
    assert read_description(tmp_path) == first
    assert read_description(tmp_path).read_recipe() == recipe


def test_other_files_of_models_are_named(tmp_path: Path) -> None:
    def of(files: dict[str, str]) -> Description:
        return Description.of(recipe_of((0.1, 0.2)), {"seed": 1}, files)

    first = of({"m0": "aa", "m1/unet/x.safetensors": "bb"})
    create(tmp_path, first, resume=False)
    assert read_description(tmp_path) == first
    create(tmp_path, first, resume=True)
    now = {"m0": "aa", "m1/unet/x.safetensors": "cc"}
    for refused in (
        lambda: create(tmp_path, of(now), resume=True),
        lambda: refuse_changed(tmp_path, now),
    ):
        with pytest.raises(InputError, match=r"m1/unet/x\.safetensors has changed") as caught:
            refused()
        assert "m0" not in str(caught.value)
    with pytest.raises(InputError, match="m0 is gone; m2 was not there"):
        refuse_changed(tmp_path, {"m2": "aa", "m1/unet/x.safetensors": "bb"})


def test_a_study_from_before_files_were_looked_at_goes_on(tmp_path: Path) -> None:
    recipe = recipe_of((0.1, 0.2))
    create(tmp_path, Description.of(recipe, {"seed": 1}), resume=False)
    create(tmp_path, Description.of(recipe, {"seed": 1}, {"m0": "aa"}), resume=True)
    refuse_changed(tmp_path, {"m0": "aa"})


def test_a_folder_of_other_things_is_refused(tmp_path: Path) -> None:
    (tmp_path / "letter.txt").write_text("dear")
    with claimed(tmp_path), pytest.raises(InputError, match=r"other things, letter\.txt"):
        create(tmp_path, Description("", ""), resume=False)
    with pytest.raises(FileError, match="no study"):
        read_description(tmp_path)
    with pytest.raises(InputError, match="is a file"), claimed(tmp_path / "letter.txt"):
        pass


def test_optuna_opens_the_journal_and_finds_plain_trials(tmp_path: Path) -> None:
    journal = Journal(tmp_path, GENES, ["fit", "judge"])
    inside = {"weight": 0.1 + 0.2, "steps": 3, "method": True}
    journal.add(Trial("candidate", 0, 0, (0.5, 1 / 3), inside, below=-0.5, seconds=2.0))
    journal.add(Trial("candidate", 0, 1, (), {"weight": 1.0, "steps": 9, "method": "ties"}))
    journal.add(Trial("candidate", 0, 2, (0.25, 0.0), inside, pruned=True))
    journal.add(Trial("baseline", -1, 0, (1.0, 2.0), {**inside, "weight": 7.0}, "mine"))
    journal.add(Trial("baseline", -1, 0, (9.0, 9.0)))
    storage = JournalStorage(JournalFileBackend(str(tmp_path / "journal.log")))
    study = optuna.load_study(study_name="sdmerge", storage=storage)
    assert [one.name for one in study.directions] == ["MAXIMIZE", "MAXIMIZE"]
    assert [t.state.name for t in study.trials] == ["COMPLETE", "FAIL", "PRUNED", "COMPLETE"]
    assert study.trials[0].params == inside
    assert study.trials[0].values == [0.5, 1 / 3]
    assert study.trials[0].constraints == {"floor": -0.5}
    assert study.trials[0].duration is not None
    assert study.trials[0].duration.total_seconds() == pytest.approx(2.0)
    assert study.trials[3].params == {"steps": 3, "method": True}
    assert study.trials[3].user_attrs["name"] == "mine"


def test_a_journal_that_was_killed_in_a_line_goes_on(tmp_path: Path) -> None:
    journal = Journal(tmp_path, GENES, ["fit"])
    for slot in range(3):
        journal.add(Trial("candidate", 0, slot, (float(slot),), {"weight": 0.5}))
    path = tmp_path / "journal.log"
    path.write_bytes(path.read_bytes()[:-20])
    (tmp_path / "journal.log.lock").symlink_to(path)
    again = Journal(tmp_path, GENES, ["fit"])
    for slot in range(3):
        again.add(Trial("candidate", 0, slot, (float(slot),), {"weight": 0.5}))
    assert [trial.values for trial in again.study.trials] == [[0.0], [1.0], [2.0]]


def test_a_lost_journal_is_written_again_from_the_evaluations(tmp_path: Path) -> None:
    search(tmp_path / "s", options(), Budget(trials=17))
    journal = tmp_path / "s" / "journal.log"
    before = told_of(tmp_path / "s")
    assert len(before) == 18
    journal.unlink()
    log = tmp_path / "log"
    search(tmp_path / "s", options(), Budget(trials=17), Local(Formula(log)))
    assert not log.exists()
    assert told_of(tmp_path / "s") == before


@pytest.mark.skipif(os.name != "posix", reason="a limit that only POSIX has stands for a full disk")
def test_a_full_disk_stops_the_search_and_costs_one_evaluation(tmp_path: Path) -> None:
    import resource

    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    for size in (6_000, 12_000):
        resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
        try:
            with pytest.raises(OSError, match="File too large"):
                search(tmp_path / "full", options(), Budget(trials=36))
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    search(tmp_path / "full", options(), Budget(trials=36))
    search(tmp_path / "wide", options(), Budget(trials=36))
    assert told_of(tmp_path / "full") == told_of(tmp_path / "wide")
    assert not list((tmp_path / "full").glob("*.partial"))


def test_sqlite_is_refused_for_several_workers(tmp_path: Path) -> None:
    check_database(f"sqlite:///{tmp_path}/a.db", 1)
    with pytest.raises(InputError, match="SQLite is not for several workers"):
        check_database(f"sqlite:///{tmp_path}/a.db", 2)


def test_a_database_that_is_not_there_is_an_error_in_words(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="cannot be opened"):
        Journal(tmp_path, GENES, ["fit"], url="nonsense://nowhere")
