"""Bradley–Terry: the mode and its curvature, found independently by a general optimiser."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.optimize import minimize

from sdmerge.votes.strengths import PRIOR, Game, Strengths, fit


def loss(theta: np.ndarray, games: list[Game]) -> float:
    """-log posterior: a normal prior, and σ(θᵢ - θⱼ) to the power of each share."""
    total = float((theta**2).sum()) / (2 * PRIOR**2)
    for game in games:
        d = theta[game.first] - theta[game.second]
        total += game.share * np.log1p(np.exp(-d)) + (1 - game.share) * np.log1p(np.exp(d))
    return total


def curvature(theta: np.ndarray, games: list[Game], h: float = 1e-4) -> np.ndarray:
    """Second derivatives by central differences."""
    steps = np.eye(len(theta)) * h

    def mixed(a: np.ndarray, b: np.ndarray) -> float:
        even = loss(theta + a + b, games) + loss(theta - a - b, games)
        odd = loss(theta + a - b, games) + loss(theta - a + b, games)
        return (even - odd) / (4 * h * h)

    return np.array([[mixed(a, b) for b in steps] for a in steps])


def tournament(n: int, count: int, seed: int) -> tuple[np.ndarray, list[Game]]:
    """Games between items whose true strengths are known; ties now and then."""
    dice = np.random.default_rng(seed)
    truth = dice.normal(size=n)
    truth -= truth.mean()
    games: list[Game] = []
    for _ in range(count):
        i, j = dice.choice(n, 2, replace=False)
        won = dice.random() < 1 / (1 + np.exp(truth[j] - truth[i]))
        games.append(Game(int(i), int(j), 0.5 if dice.random() < 0.1 else float(won)))
    return truth, games


@pytest.mark.parametrize(("n", "count"), [(2, 1), (2, 30), (5, 40), (8, 200), (3, 0)])
def test_mode_and_covariance(n: int, count: int) -> None:
    _, games = tournament(n, count, n)
    found = fit(n, games)
    best = minimize(loss, np.zeros(n), args=(games,), method="BFGS", options={"gtol": 1e-9})
    assert found.theta == pytest.approx(best.x, abs=1e-5)
    assert found.covariance == pytest.approx(np.linalg.inv(curvature(found.theta, games)), rel=1e-4)
    assert found.theta.sum() == pytest.approx(0, abs=1e-9)


@pytest.mark.parametrize("count", [1, 10, 100])
def test_what_always_wins_stays_finite(count: int) -> None:
    found = fit(3, [Game(0, 1, 1.0)] * count + [Game(1, 2, 1.0)] * count)
    assert list(np.argsort(-found.theta)) == [0, 1, 2]
    assert np.isfinite(found.theta).all()
    best = minimize(
        loss, np.zeros(3), args=([Game(0, 1, 1.0)] * count + [Game(1, 2, 1.0)] * count,)
    )
    assert found.theta == pytest.approx(best.x, abs=1e-3)


def test_order_and_sides_do_not_matter() -> None:
    _, games = tournament(5, 60, 1)
    turned = [Game(game.second, game.first, 1 - game.share) for game in reversed(games)]
    assert fit(5, games).theta == pytest.approx(fit(5, turned).theta, abs=1e-9)


def logit(share: float) -> float:
    return float(np.log(share / (1 - share)))


def test_win_rates_are_what_they_say() -> None:
    """The rate by its definition; the interval by the gradient, taken by differences."""
    _, games = tournament(4, 50, 2)
    found = fit(4, games)

    def rate(theta: np.ndarray, i: int) -> float:
        return float(np.mean([1 / (1 + np.exp(theta[j] - theta[i])) for j in range(4) if j != i]))

    for i, (value, low, high) in enumerate(found.win_rates()):
        assert value == pytest.approx(rate(found.theta, i))
        h = 1e-6
        ups = np.array([logit(rate(found.theta + h * e, i)) for e in np.eye(4)])
        downs = np.array([logit(rate(found.theta - h * e, i)) for e in np.eye(4)])
        slope = (ups - downs) / (2 * h)
        error = 1.96 * np.sqrt(slope @ found.covariance @ slope)
        ends = 1 / (1 + np.exp(-(logit(value) + np.array([-error, error]))))
        assert (low, high) == pytest.approx(tuple(ends), abs=1e-6)


def test_intervals_cover_the_truth() -> None:
    """About 95 of 100; a simple interval that were twice too narrow would hold 67."""
    inside = total = 0
    for seed in range(60):
        truth, games = tournament(4, 80, seed)
        for i, (_, low, high) in enumerate(fit(4, games).win_rates()):
            rate = np.mean([1 / (1 + np.exp(truth[j] - truth[i])) for j in range(4) if j != i])
            inside += low <= rate <= high
            total += 1
    assert 0.9 <= inside / total <= 1.0


def test_settled() -> None:
    assert not fit(3, []).settled()
    assert not fit(3, [Game(0, 1, 1.0), Game(0, 2, 1.0)]).settled()
    clear = [Game(0, 1, 1.0), Game(0, 2, 1.0)] * 20
    assert fit(3, clear).settled()
    assert not fit(3, clear + [Game(1, 0, 1.0)] * 25).settled()
    assert not fit(1, []).settled()
    sure = Strengths(np.array([1.0, 0.0]), np.eye(2) * 0.1)
    assert sure.doubt(0, 1) == pytest.approx(0.2)
    assert sure.settled() == (1.0 > 1.96 * 0.2**0.5)
