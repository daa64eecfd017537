"""M2N2: an archive whose members live off prompts that others do worse, and are crossed there.

Abrantes, Lange and Tang, Competition and attraction improve model fusion, GECCO 2025. Scores are
s[i, j] of member i on prompt j, less the worst that the archive has on that prompt, as the paper
does for pictures.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Annotated, Any

import numpy as np

from sdmerge.errors import EngineError
from sdmerge.evolve.engine.algorithm import Algorithm, Setup
from sdmerge.evolve.engine.cube import Floats, dice, finite, uniform
from sdmerge.evolve.engine.spec import engine
from sdmerge.evolve.genes import Candidate, Gene, Told
from sdmerge.params import Range, Scalar

_EPSILON = 1e-12


@engine(title="M2N2", paper="https://arxiv.org/abs/2508.16204", needs=("prompts",))
def m2n2(
    setup: Setup, *,
    archive: Annotated[int, Range(4, 50, limits=(2, 10_000))] = 20,
    batch: Annotated[int, Range(1, 16, limits=(1, 1000))] = 1,
    alpha: Annotated[float, Range(0.0, 2.0)] = 1.0,
) -> Algorithm:  # fmt: skip
    """An archive that keeps specialists, and crosses each with one that is strong where it is weak.

    Prompts are a resource that members share: being good where few are counts for more. A child
    takes a mix of two members before a random split point in the list of genes and the opposite
    mix behind it, and the worst of archive and children goes. Mixes are linear, where the paper's
    are spherical, so that a child is a recipe over the same parents. The first generation is the
    start and candidates drawn at random; there is no mutation.

    archive: Members, and candidates of the first generation.
    batch: Children per generation; the paper has one.
    alpha: How hard members compete; at 0 they do not.
    """
    return M2n2(setup, archive, batch, alpha)


class M2n2:
    """Its memory is the archive with a score per prompt, and the number of batches."""

    def __init__(self, setup: Setup, size: int, batch: int, alpha: float) -> None:
        self.setup, self.size, self.batch, self.alpha = setup, size, batch, alpha
        self.batches = 0
        self.members: list[Candidate] = []
        self.scores: Floats = np.empty((0, 0))

    def ask(self) -> list[Candidate]:
        self.batches += 1
        random = dice(self.setup.seed, self.batches)
        if not self.members:
            others = [uniform(self.setup.genes, random) for _ in range(self.size - 1)]
            return [dict(self.setup.start), *others]
        scores = above_worst(self.scores)
        return [self._child(scores, random) for _ in range(self.batch)]

    def tell(self, told: Sequence[Told]) -> None:
        counts = {len(one.prompts) for one in told} | {self.scores.shape[1]} - {0}
        if len(counts) != 1 or counts == {0}:
            hint = "Score every candidate on the same prompts, or take another engine."
            raise EngineError("m2n2 needs a score per prompt", hint=hint)
        for one in told:
            self._admit(dict(one.candidate), np.array([one.prompts], np.float64))

    def centre(self) -> Candidate | None:
        return None

    def memory(self) -> Mapping[str, object]:
        return {"batches": self.batches, "members": self.members, "scores": self.scores}

    def recall(self, memory: Mapping[str, Any]) -> None:
        self.batches, self.members = int(memory["batches"]), list(memory["members"])
        self.scores = memory["scores"]

    def _admit(self, candidate: Candidate, row: Floats) -> None:
        """Add a member; if that is one too many, the worst goes, the newest of equals first."""
        self.members.append(candidate)
        self.scores = np.concatenate([self.scores, row]) if len(self.scores) else row
        if len(self.members) > self.size:
            worth = fitness(above_worst(self.scores), self.alpha)
            worst = len(worth) - 1 - int(worth[::-1].argmin())
            del self.members[worst]
            self.scores = np.delete(self.scores, worst, axis=0)

    def _child(self, scores: Floats, random: np.random.Generator) -> Candidate:
        first = pick(fitness(scores, self.alpha), random)
        second = pick(attraction(scores, first), random, other_than=first)
        pair = self.members[first], self.members[second]
        return crossed(self.setup.genes, *pair, random)


def above_worst(scores: Floats) -> Floats:
    """Scores [members, prompts], less each prompt's worst; what is not finite is the worst."""
    fine = finite(scores.tolist())
    return fine - fine.min(axis=0)


def fitness(scores: Floats, alpha: float) -> Floats:
    """f_i = Σ_j c_j s_ij / (z_jᵅ + ε), z_j = Σ_k s_kj, c_j = max_i s_ij: resources that are shared.

    A prompt j is worth c_j altogether, and who scores on it divides that.
    """
    capacity = scores.max(axis=0)
    return (capacity * scores / (scores.sum(axis=0) ** alpha + _EPSILON)).sum(axis=1)


def attraction(scores: Floats, first: int) -> Floats:
    """g_i = Σ_j c_j / (z_j + ε) · max(s_ij - s_first,j, 0): how much i has that the first lacks."""
    worth = scores.max(axis=0) / (scores.sum(axis=0) + _EPSILON)
    return (worth * np.maximum(scores - scores[first], 0.0)).sum(axis=1)


def pick(worth: Floats, random: np.random.Generator, other_than: int | None = None) -> int:
    """A number drawn in proportion to `worth`; any of the rest if nothing is worth anything."""
    weights = worth.copy()
    if weights.sum() <= 0.0:
        weights = np.ones_like(worth)
        if other_than is not None and len(weights) > 1:
            weights[other_than] = 0.0
    return int(random.choice(len(weights), p=weights / weights.sum()))


def crossed(
    genes: Sequence[Gene], one: Candidate, other: Candidate, random: np.random.Generator
) -> Candidate:
    """A mix of both before a split point in the genes, and the opposite mix behind it."""
    split, share = int(random.integers(len(genes), endpoint=True)), random.random()
    shares = [share if at < split else 1.0 - share for at in range(len(genes))]
    return {
        gene.name: mixed(gene, one[gene.name], other[gene.name], part, random)
        for gene, part in zip(genes, shares, strict=True)
    }


def mixed(
    gene: Gene, one: Scalar, other: Scalar, share: float, random: np.random.Generator
) -> Scalar:
    """`share` of one value and the rest of the other; of choices one, that often."""
    drawn = random.random()
    if one == other:
        return one
    if gene.kind == "choice":
        return one if drawn < share else other
    return gene.value(share * gene.position(one) + (1.0 - share) * gene.position(other))
