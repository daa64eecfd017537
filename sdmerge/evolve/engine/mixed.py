"""Genes of every kind as CatCMA with margin sees them: places, levels and shares."""

# cmaes has no types of its own for what its objects keep
# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false
# pyright: reportUnknownArgumentType=false

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from sdmerge.evolve.engine.cube import Floats, reflect
from sdmerge.evolve.genes import Candidate, Gene
from sdmerge.params import Scalar


class Mixed:
    """Floats lie in the unit cube, whole numbers at their positions there, the rest is chosen.

    A whole number of two values is a choice, as cmaes advises.
    """

    def __init__(self, genes: Sequence[Gene]) -> None:
        self.genes = genes
        self.floats = [gene for gene in genes if gene.kind == "float"]
        self.ints = [gene for gene in genes if gene.kind == "int" and len(levels(gene)) > 2]
        numeric = {gene.name for gene in (*self.floats, *self.ints)}
        self.chosen = [gene for gene in genes if gene.name not in numeric]

    def kernel(self, place: Floats, shares: Floats, **settings: Any) -> Any:
        """A CatCMAwM whose mean is `place` and whose choices are drawn by `shares`.

        Its cube has no walls: they would clip, and candidates are reflected instead. It then
        measures no penalty, but the median of an empty history, which warns; so that has one.
        """
        import cmaes

        sigma = settings.pop("sigma")
        steps = [[gene.position(level) for level in levels(gene)] for gene in self.ints]
        gaussian = {"mean": place, "cov": np.eye(len(place)), "sigma": sigma} if len(place) else {}
        made = cmaes.CatCMAwM(
            x_space=[[-np.inf, np.inf]] * len(self.floats) or None,
            z_space=steps or None,
            c_space=[len(levels(gene)) for gene in self.chosen] or None,
            cat_param=shares if self.chosen else None,
            **gaussian,
            **settings,
        )
        if self.floats:
            vars(made)["_iqhist_values"].append(1.0)
        return made

    def place(self, candidate: Candidate) -> Floats:
        """Where the candidate's numbers lie: floats first."""
        return np.array([g.position(candidate[g.name]) for g in (*self.floats, *self.ints)])

    def shares(self, candidate: Candidate | None = None) -> Floats:
        """How often each value is chosen [choices, most values]: half of the time the candidate's.

        Without one all are alike.
        """
        most = max((len(levels(gene)) for gene in self.chosen), default=0)
        table = np.zeros((len(self.chosen), most))
        for row, gene in zip(table, self.chosen, strict=True):
            count = len(levels(gene))
            row[:count] = (1.0 if candidate is None else 0.5) / count
            if candidate is not None:
                row[levels(gene).index(candidate[gene.name])] += 0.5
        return table

    def candidate(self, solution: Any) -> Candidate:
        """What a solution of cmaes stands for."""
        found: dict[str, Scalar] = {}
        if self.floats:
            at = reflect(np.asarray(solution.x)).tolist()
            found |= {g.name: g.value(x) for g, x in zip(self.floats, at, strict=True)}
        if self.ints:
            found |= {g.name: g.value(z) for g, z in zip(self.ints, solution.z, strict=True)}
        if self.chosen:
            picks = np.asarray(solution.c).argmax(axis=1).tolist()
            found |= {g.name: levels(g)[k] for g, k in zip(self.chosen, picks, strict=True)}
        return {gene.name: found[gene.name] for gene in self.genes}

    def centre(self, kernel: Any) -> Candidate:
        """The mean of a kernel's numbers and the likeliest of its choices."""
        import cmaes

        inside, count = vars(kernel), len(self.floats)
        mean = inside["_mean"] if self.floats or self.ints else np.empty(0)
        likeliest = inside["_q"] if self.chosen else None
        return self.candidate(cmaes.CatCMAwM.Solution(mean[:count], mean[count:], likeliest))


def levels(gene: Gene) -> tuple[Scalar, ...]:
    """Every value of a whole number or a choice."""
    if gene.kind == "choice":
        return gene.choices
    return tuple(range(round(gene.low), round(gene.high) + 1))
