"""DictSink: the result in memory, or nothing."""

from __future__ import annotations

import pytest
import torch
from tiny import planned, words

from sdmerge.merge import run
from sdmerge.sinks import DictSink


def test_shapes_and_dtypes_are_the_plans() -> None:
    plan = planned({"merge_method": "linear", "models": [{"model": str(words(1))}]})
    sink = DictSink()
    run(plan, sink)
    assert list(sink.tensors) == [task.key for task in plan.tasks]
    for task in plan.tasks:
        assert tuple(sink.tensors[task.key].shape) == task.spec.shape
        assert sink.tensors[task.key].dtype == torch.float16


def test_a_merge_that_fails_leaves_nothing() -> None:
    plan = planned({"merge_method": "linear", "models": [{"model": str(words(1))}]})
    sink = DictSink()

    def fail(done: object) -> None:
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        run(plan, sink, progress=fail)
    assert sink.tensors == {}
    run(plan, sink)
    run(plan, sink)
    assert len(sink.tensors) == 36
