"""Who takes the test beside the winner: parents, soup, the best of one weight for all, the user's.

Of a sweep only the best in the search takes part: that is the weight somebody would have chosen.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence

from sdmerge.evolve.export.history import Contender, History
from sdmerge.evolve.run.baselines import Baseline
from sdmerge.params import Scalar
from sdmerge.recipe import Recipe

WINNER = "winner"


def contenders(
    history: History,
    winner: Recipe,
    drawn: Mapping[str, Scalar],
    baselines: Sequence[Baseline],
    sampling: Mapping[str, Scalar],
) -> list[Contender]:
    """The winner, drawn as `drawn` says, and the baselines, as `sampling` does; no name twice."""
    scores = {one.name: one.objectives[0] for one in history.baselines if one.objectives}
    sweep = [one for one in baselines if one.kind == "sweep" and one.name in scores]
    best = max(sweep, key=lambda one: scores[one.name], default=None)
    found = [Contender(WINNER, "winner", winner, drawn)]
    names = Counter([WINNER])
    for one in baselines:
        if one.kind in ("parent", "soup", "added") or one is best:
            names[one.name] += 1
            name = one.name if names[one.name] == 1 else f"{one.name} #{names[one.name]}"
            found.append(Contender(name, one.kind, one.recipe, {**sampling, **one.sampling}))
    return found
