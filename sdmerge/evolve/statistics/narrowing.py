"""Diversity watched: a winner that draws one picture for each prompt, whatever the seed.

No score per picture sees it. The scorer `diversity` gives a prompt the mean distance of its
pictures; here the incumbent's are compared with those of its parents.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from sdmerge.scoring.statistics import Difference, difference, table


@dataclass(frozen=True, slots=True)
class Narrowed:
    """The incumbent's pictures of a prompt are more alike than those of any parent.

    `gap` is its diversity minus that of `parent`, the least diverse one.
    """

    parent: str
    gap: Difference

    def __str__(self) -> str:
        gap = self.gap
        told = f"{gap.mean:+.3g} ({gap.low:+.3g} … {gap.high:+.3g})"
        return f"pictures of one prompt are more alike than those of any parent: {told}"


def narrowing(
    incumbent: Sequence[float], parents: Mapping[str, Sequence[float]], *, seed: int = 0
) -> Narrowed | None:
    """What was lost of the least diverse parent's diversity, a number per prompt; None if nothing.

    It is lost if the whole interval of the difference is below zero.
    """
    if not parents:
        return None
    name = min(parents, key=lambda one: float(np.mean(parents[one])))
    gap = difference(table(np.array(parents[name])), table(np.array(incumbent)), seed=seed)
    return Narrowed(name, gap) if gap.high < 0 else None
