"""The trust region: a search that stays near a recipe that is known to be good."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from sdmerge.errors import InputError
from sdmerge.evolve.genes import Candidate, Gene


def within(genes: Sequence[Gene], around: Candidate, radius: float) -> tuple[Gene, ...]:
    """The genes, numbers no further than `radius` of their range from where `around` has them.

    On a log scale where the gene has one. Choices stay free. They start at `around`.
    """
    if not 0 < radius <= 1:
        raise InputError(f"the trust region's radius {radius:g} is outside 0..1")
    return tuple(_near(gene, around, radius) for gene in genes)


def _near(gene: Gene, around: Candidate, radius: float) -> Gene:
    value = around[gene.name]
    if gene.kind == "choice":
        return replace(gene, init=value)
    at = gene.position(value)
    low, high = gene.value(at - radius), gene.value(at + radius)
    assert not isinstance(low, str)
    assert not isinstance(high, str)
    if gene.kind == "int" and low == high:  # a whole number has a neighbour, however near
        low, high = max(gene.low, low - 1), min(gene.high, high + 1)
    return replace(gene, low=low, high=high, init=value)
