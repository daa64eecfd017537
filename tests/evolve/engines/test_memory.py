"""Memories come back exactly, and a file cannot make them anything else."""

from __future__ import annotations

import json
import pickle
from collections import deque
from typing import Any

import cmaes
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sdmerge.errors import EngineError
from sdmerge.evolve.engine.memory import pack, unpack

PLAIN = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: (
        st.lists(inner)
        | st.tuples(inner, inner)
        | st.dictionaries(st.text().filter(lambda key: key != "~"), inner)
    ),
)


def through(value: Any) -> Any:
    return unpack(json.loads(json.dumps(pack(value))))


@given(PLAIN)
def test_plain_values_come_back(value: Any) -> None:
    assert through(value) == value


@pytest.mark.parametrize("kind", ["float64", "float32", "int64", "bool", "uint32"])
@pytest.mark.parametrize("order", ["C", "F"])
def test_arrays_keep_their_bytes_and_their_order(kind: str, order: Any) -> None:
    array = np.random.default_rng(1).normal(size=(3, 5)).astype(kind).copy(order=order)
    again = through(array)
    assert again.dtype == array.dtype
    assert again.strides == array.strides
    assert again.tobytes("A") == array.tobytes("A")
    again[0] = 0  # not a view of the text


def test_numbers_of_numpy_stay_what_they_are() -> None:
    again = through(np.float64(0.1))
    assert type(again) is np.float64
    assert again == 0.1


def test_a_random_state_goes_on() -> None:
    dice = np.random.RandomState(3)
    dice.randn(7)  # an odd number leaves half a pair behind
    again = through(dice)
    assert again.randn(5).tolist() == dice.randn(5).tolist()


def test_optimisers_of_cmaes_go_on_where_a_pickle_does_not() -> None:
    optimiser = cmaes.CMA(mean=np.full(3, 0.5), sigma=0.2, seed=1)
    for _ in range(3):
        optimiser.tell([(x, float(x @ x)) for x in (optimiser.ask() for _ in range(7))])
    again, pickled = through(optimiser), pickle.loads(pickle.dumps(optimiser))
    wanted = optimiser.ask().tolist()
    assert again.ask().tolist() == wanted
    assert pickled.ask().tolist() != wanted


def test_containers_keep_their_kind() -> None:
    solution = cmaes.CatCMAwM.Solution(x=np.ones(2))
    value = {"a": deque([1, (2, solution)]), "b": np.array([solution, solution])}
    again = through(value)
    assert isinstance(again["a"], deque)
    assert again["a"][1][1].x.tolist() == [1.0, 1.0]
    assert again["b"].dtype == object


@pytest.mark.parametrize("value", [object(), b"bytes", {1: 2}, {"~": 1}, np.array(["a"]), {1, 2}])
def test_what_would_not_come_back_is_refused(value: Any) -> None:
    with pytest.raises(TypeError):
        pack(value)


@pytest.mark.parametrize(
    "text",
    [
        '{"~": "os.system", "attributes": {}}',
        '{"~": "Solution", "attributes": {}}',
        '{"~": ["CMA"], "attributes": {}}',
        '{"~": "array", "dtype": "|O", "shape": [1], "order": "C", "scalar": false, "data": ""}',
    ],
)
def test_what_no_engine_writes_is_refused(text: str) -> None:
    with pytest.raises(EngineError, match="no engine writes"):
        unpack(json.loads(text))
