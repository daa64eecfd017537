"""The suggestions: every rule, at its threshold, and what it tells."""

from __future__ import annotations

import itertools
import math

import pytest

from sdmerge.analysis import Interference, Measures, suggest
from sdmerge.manifest import manifest

Pair = float | None


def found(
    cosines: tuple[Pair, ...], cancelled: Pair = 0.1, norms: tuple[float, ...] = (1.0, 1.0), *,
    based: bool = True,
) -> Interference:  # fmt: skip
    """An analysis that found these numbers."""
    shares = tuple(norm / 10 for norm in norms)
    whole = Measures(1, 9, 0.5, 0.5, cancelled, cosines, norms, shares)
    return Interference(tuple("abcd"[: len(norms)]), based, {"L00": whole}, whole)


def test_one_delta_has_nothing_to_collide_with() -> None:
    said = suggest(found((), norms=(1.0,)))
    assert (said.method, said.parameters) == ("task_arithmetic", {"weight": 1.0})
    still = suggest(found((None,), norms=(1.0, 0.0)))
    assert still.method == "task_arithmetic"
    assert still.notes == ("b does not differ from the base",)
    assert suggest(found((None,), norms=(0.0, 0.0))).notes[1].startswith("b does not differ")


@pytest.mark.parametrize(
    ("cosine", "cancelled", "method", "words"),
    [
        (0.0, 0.2, "task_arithmetic", "20% of all movement cancels"),
        (0.0, 0.33, "task_arithmetic", "less than a third"),
        (0.0, 0.34, "ties", "a third or more"),
        (-0.6, 0.5, "ties", "an elected sign"),
        (0.49, 0.34, "ties", "a third or more"),
        (0.51, 0.34, "task_arithmetic", "are alike"),
    ],
)
def test_deltas(cosine: float, cancelled: float, method: str, words: str) -> None:
    said = suggest(found((cosine,), cancelled))
    assert said.method == method
    assert words in said.reason


@pytest.mark.parametrize("norms", [(1.0, 1.0), (1.0, 2.0), (0.5, 1.0, 2.0)])
@pytest.mark.parametrize("cosine", [0.0, 0.3, 0.7, 1.0])
def test_the_sum_is_as_long_along_the_deltas_as_they_are(
    norms: tuple[float, ...], cosine: float
) -> None:
    """Σ ⟨w·S, τᵢ⟩ = Σ ‖τᵢ‖², S their sum, as it comes out for vectors with these angles."""
    count = len(norms)
    products = [[a * b * (1.0 if i == j else cosine) for j, b in enumerate(norms)]
                for i, a in enumerate(norms)]  # fmt: skip
    pairs = tuple(cosine for _ in itertools.combinations(norms, 2))
    weight = suggest(found(pairs, norms=norms)).parameters["weight"]
    along = sum(products[i][j] for i in range(count) for j in range(count))
    assert float(weight) * along == pytest.approx(sum(norm**2 for norm in norms), rel=0.02)
    if cosine == 1.0 and norms[0] == norms[1]:
        assert weight == 0.5


def test_a_weight_is_never_more_than_one() -> None:
    assert suggest(found((-0.2,), 0.1)).parameters == {"weight": 1.0}
    assert suggest(found((-1.0,), 0.1)).parameters == {"weight": 1.0}


def test_one_that_went_much_farther_is_named() -> None:
    assert suggest(found((0.0,), norms=(1.0, 2.9))).notes == ()
    (note,) = suggest(found((0.0,), norms=(1.0, 3.1))).notes
    assert note.startswith("b went 3.1 times as far from the base as a")


@pytest.mark.parametrize(
    ("cosine", "method"), [(0.999, "linear"), (0.97, "linear"), (0.94, "slerp"), (0.2, "slerp")]
)
def test_weights(cosine: float, method: str) -> None:
    """The average of two vectors of length 1 has the length √((1 + cos) / 2)."""
    said = suggest(found((cosine,), None, based=False))
    assert said.method == method
    assert f"{1 - math.sqrt((1 + cosine) / 2):.2%} shorter" in said.reason


def test_slerp_takes_two_and_karcher_more() -> None:
    said = suggest(found((0.5, 0.5, 0.5), None, (1.0, 1.0, 1.0), based=False))
    assert (said.method, said.parameters, said.also) == ("karcher", {"weight": 1.0}, ("linear",))
    near = suggest(found((0.99, 0.99, 0.99), None, (1.0, 1.0, 1.0), based=False))
    assert (near.method, near.also) == ("linear", ("karcher",))


@pytest.mark.parametrize(("cosine", "words"), [(0.91, "come from one model"), (0.89, "seldom")])
def test_the_origin_of_weights(cosine: float, words: str) -> None:
    (note,) = suggest(found((cosine,), None, based=False)).notes
    assert words in note


def test_what_is_suggested_exists() -> None:
    for cosine, cancelled in itertools.product((-0.5, 0.0, 0.9), (0.1, 0.5)):
        for based in (True, False):
            said = suggest(found((cosine,), cancelled, based=based))
            for name in said.parameters:
                manifest()[said.method].param(name)
            assert all(name in manifest() for name in said.also)
