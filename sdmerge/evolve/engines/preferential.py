"""Preferential search: what people like better, guessed everywhere from few comparisons.

The strength of a candidate is a Gaussian process over the genes, and one beats another with
probability σ(fᵢ - fⱼ): Bradley-Terry with a prior that lets neighbours share votes (after Chu and
Ghahramani, Preference learning with Gaussian processes, ICML 2005, who have a probit). Challengers
are the best of draws from the posterior (Thompson sampling).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Any

import numpy as np

from sdmerge.evolve.engine.algorithm import Algorithm, Setup
from sdmerge.evolve.engine.cube import Floats, dice, reflect, uniform, uniform_value
from sdmerge.evolve.engine.spec import engine
from sdmerge.evolve.genes import Candidate, Gene, Told
from sdmerge.params import Range, Scalar
from sdmerge.votes.strengths import Game, Strengths, fit

_DEVIATION = 3.0
"""The prior's standard deviation in log-odds: two candidates apart by it win 95 of 100."""
_OWN = 1e-3
"""The share of a candidate's variance that no neighbour has; it keeps matrices invertible."""
_SCALES = (0.15, 0.3, 0.6, 1.2)
_POOL = 128
_NEAR = 0.12


@engine(
    title="Preferential search", paper="https://doi.org/10.1145/1102351.1102369", needs=("votes",)
)
def preferential(
    setup: Setup, *, batch: Annotated[int, Range(2, 8, limits=(2, 64))] = 4
) -> Algorithm:
    """Learns from comparisons: votes, or any scores that only say which of a batch is better.

    Every batch has the favourite so far and challengers from where they might be better. Scores
    are only compared within a batch, so that counts of won votes and strengths do alike; equal
    scores are a tie. Best with up to about ten genes.

    batch: Candidates that are compared with each other.
    """
    return Preferential(setup, batch)


class Preferential:
    """Its memory is every candidate that was compared, and how the comparisons went."""

    def __init__(self, setup: Setup, batch: int) -> None:
        self.setup, self.batch = setup, batch
        self.batches = 0
        self.known: list[Candidate] = []
        self.games: list[tuple[int, int, float]] = []

    def ask(self) -> list[Candidate]:
        self.batches += 1
        random = dice(self.setup.seed, self.batches)
        genes = self.setup.genes
        if not self.known:
            others = [uniform(genes, random) for _ in range(self.batch - 1)]
            return [dict(self.setup.start), *others]
        belief = self._belief()
        best = self.known[belief.favourite]
        pool = [uniform(genes, random) for _ in range(_POOL)]
        pool += [near(genes, best, random) for _ in range(_POOL)]
        places = np.stack([embedded(genes, one) for one in pool])
        draws = belief.draws(places, self.batch - 1, random)
        return [best, *(pool[at] for at in favourites(draws))]

    def tell(self, told: Sequence[Told]) -> None:
        numbers = [self._number(dict(one.candidate)) for one in told]
        scores = np.array([one.score for one in told], np.float64)
        scores[~np.isfinite(scores)] = -np.inf
        for i in range(len(told)):
            for j in range(i + 1, len(told)):
                if numbers[i] != numbers[j]:
                    share = 0.5 * (1 + float(scores[i] > scores[j]) - float(scores[i] < scores[j]))
                    self.games.append((numbers[i], numbers[j], share))

    def centre(self) -> Candidate:
        return self.known[self._belief().favourite] if self.known else dict(self.setup.start)

    def memory(self) -> Mapping[str, object]:
        games = [list(game) for game in self.games]
        return {"batches": self.batches, "known": self.known, "games": games}

    def recall(self, memory: Mapping[str, Any]) -> None:
        self.batches, self.known = int(memory["batches"]), list(memory["known"])
        self.games = [(int(i), int(j), float(share)) for i, j, share in memory["games"]]

    def _number(self, candidate: Candidate) -> int:
        if candidate not in self.known:
            self.known.append(candidate)
        return self.known.index(candidate)

    def _belief(self) -> Belief:
        places = np.stack([embedded(self.setup.genes, one) for one in self.known])
        games = [Game(*game) for game in self.games]
        return max((believe(places, games, s) for s in _SCALES), key=lambda one: one.evidence)


@dataclass(frozen=True, slots=True)
class Belief:
    """Strengths at the places that were compared, of a process with this length scale."""

    places: Floats
    scale: float
    prior: Floats
    strengths: Strengths
    evidence: float
    """The logarithm of how likely the games were (Laplace's approximation)."""

    @property
    def favourite(self) -> int:
        """The strongest that was compared."""
        return int(self.strengths.theta.argmax())

    def draws(self, places: Floats, count: int, random: np.random.Generator) -> Floats:
        """[count, places]: strengths there, drawn together from the posterior."""
        across = covariance(places, self.places, self.scale)
        weights = np.linalg.solve(self.prior, across.T).T
        mean = weights @ self.strengths.theta
        spread = covariance(places, places, self.scale)
        spread -= weights @ (self.prior - self.strengths.covariance) @ weights.T
        values, vectors = np.linalg.eigh((spread + spread.T) / 2)
        root = vectors * np.sqrt(np.maximum(values, 0.0))
        return mean + random.standard_normal((count, len(places))) @ root.T


def believe(places: Floats, games: Sequence[Game], scale: float) -> Belief:
    """What the games say, if strengths change over this length."""
    prior = covariance(places, places, scale) + _OWN * _DEVIATION**2 * np.eye(len(places))
    found = fit(len(places), games, prior)
    theta = found.theta
    margins = np.array([theta[game.first] - theta[game.second] for game in games])
    shares = np.array([game.share for game in games])
    likelihood = float((shares * margins - np.logaddexp(0.0, margins)).sum())
    determinants = np.linalg.slogdet(found.covariance)[1] - np.linalg.slogdet(prior)[1]
    evidence = likelihood + 0.5 * float(determinants - theta @ np.linalg.solve(prior, theta))
    return Belief(places, scale, prior, found, evidence)


def favourites(draws: Floats) -> list[int]:
    """The best place of each draw that no draw before it took."""
    taken: list[int] = []
    for row in draws:
        taken.append(next(at for at in (-row).argsort().tolist() if at not in taken))
    return taken


def covariance(one: Floats, other: Floats, scale: float) -> Floats:
    """Matérn-5/2 between two sets of places [n, d] and [m, d]; lengths grow with √d."""
    gaps = np.sqrt(((one[:, None] - other[None]) ** 2).sum(axis=2))
    r = np.sqrt(5.0) * gaps / (scale * np.sqrt(one.shape[1]))
    return _DEVIATION**2 * (1 + r + r**2 / 3) * np.exp(-r)


def embedded(genes: Sequence[Gene], candidate: Candidate) -> Floats:
    """Where a candidate lies: a number at its position, choices at corners 1 apart."""
    parts: list[float] = []
    for gene in genes:
        value = candidate[gene.name]
        if gene.kind == "choice":
            parts += [float(value == choice) / np.sqrt(2.0) for choice in gene.choices]
        else:
            parts.append(gene.position(value))
    return np.array(parts)


def near(genes: Sequence[Gene], best: Candidate, random: np.random.Generator) -> Candidate:
    """A candidate around the best."""

    def moved(gene: Gene) -> Scalar:
        if gene.kind == "choice":
            return uniform_value(gene, random) if random.random() < _NEAR else best[gene.name]
        step = gene.position(best[gene.name]) + _NEAR * random.standard_normal()
        return gene.value(float(reflect(np.array(step))))

    return {gene.name: moved(gene) for gene in genes}
