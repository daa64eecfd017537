"""Genes: values and their places in the unit cube."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sdmerge.evolve.genes import Gene, Told, candidate_at, positions

WEIGHT = Gene("weight", "float", 0.5, low=-0.3, high=1.5)
RATE = Gene("rate", "float", 1e-3, low=1e-5, high=1e-1, log=True)
STEPS = Gene("steps", "int", 4, low=2, high=8)
METHOD = Gene("method", "choice", "ties", choices=("linear", "ties", "slerp"))
GENES = (WEIGHT, RATE, STEPS, METHOD)


@given(st.lists(st.floats(0, 1), min_size=4, max_size=4))
def test_a_place_gives_a_candidate_that_is_found_again(place: list[float]) -> None:
    candidate = candidate_at(GENES, place)
    again = candidate_at(GENES, positions(GENES, candidate))
    assert again["steps"] == candidate["steps"]
    assert again["method"] == candidate["method"]
    assert math.isclose(float(again["weight"]), float(candidate["weight"]), abs_tol=1e-12)
    assert math.isclose(float(again["rate"]), float(candidate["rate"]), rel_tol=1e-9)


@given(st.floats(-5, 5))
def test_a_value_never_leaves_its_range(at: float) -> None:
    assert -0.3 <= float(WEIGHT.value(at)) <= 1.5
    assert 1e-5 <= float(RATE.value(at)) <= 1e-1
    assert STEPS.value(at) in range(2, 9)
    assert METHOD.value(at) in METHOD.choices


def test_a_logarithmic_gene_has_its_geometric_mean_in_the_middle() -> None:
    assert math.isclose(float(RATE.value(0.5)), 1e-3)
    assert math.isclose(RATE.position(1e-3), 0.5)


@pytest.mark.parametrize("gene", GENES, ids=lambda gene: gene.name)
def test_the_ends_are_reached(gene: Gene) -> None:
    ends = gene.choices or (gene.low, gene.high)
    assert (gene.value(0.0), gene.value(1.0)) == (ends[0], ends[-1])


def test_a_single_objective_has_one_score() -> None:
    assert Told({"weight": 0.1}, (0.7, 0.2)).score == 0.7
