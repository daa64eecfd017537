"""The runner of `all`: order, width, marks, and what happens when a stage fails."""

import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from samples.train.runner import run_all
from samples.train.stages import STAGES, Stage


def _stages(*stages: Stage) -> dict[str, Stage]:
    return {stage.name: stage for stage in stages}


def _none(processes: int) -> None:
    raise AssertionError(f"the runner is given what runs a stage, not its body: {processes}")


def _stage(name: str, *needs: str, wide: bool = False) -> Stage:
    return Stage(name, "", _none, needs, wide)


def _note(log: list[tuple[str, int]]) -> Callable[[Stage, int], None]:
    return lambda stage, cores: log.append((stage.name, cores))


def test_needs_come_first_and_wide_stages_take_all_cores(tmp_path: Path) -> None:
    log: list[tuple[str, int]] = []
    run_all(
        _stages(_stage("c", "a", "b"), _stage("a"), _stage("b", "a", wide=True)),
        3,
        _note(log),
        tmp_path,
    )
    assert log == [("a", 1), ("b", 3), ("c", 1)]


def test_narrow_stages_run_side_by_side(tmp_path: Path) -> None:
    both = threading.Barrier(2, timeout=10)
    run_all(_stages(_stage("a"), _stage("b")), 2, lambda *_: both.wait(), tmp_path)


def test_what_is_done_is_not_done_again(tmp_path: Path) -> None:
    log: list[tuple[str, int]] = []
    stages = _stages(_stage("a"), _stage("b", "a"))

    def stopped(stage: Stage, cores: int) -> None:
        log.append((stage.name, cores))
        if stage.name == "b":
            raise RuntimeError("no space")

    with pytest.raises(RuntimeError, match="no space"):
        run_all(stages, 1, stopped, tmp_path)
    run_all(stages, 1, _note(log), tmp_path)
    assert [name for name, _ in log] == ["a", "b", "b"]
    run_all(stages, 1, _note(log), tmp_path)
    assert len(log) == 3


def test_every_need_is_a_stage() -> None:
    assert {need for stage in STAGES.values() for need in stage.needs} <= STAGES.keys()
    assert {*STAGES} - {need for stage in STAGES.values() for need in stage.needs} == {"table"}
