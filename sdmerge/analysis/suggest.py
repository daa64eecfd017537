"""Suggest: a method and a weight to start from. Simple rules, and each says why.

With a base, in this order:

1. Fewer than two deltas: task_arithmetic at weight 1. There is nothing to collide.
2. Mean cosine of the deltas at least 0.5: task_arithmetic. They learned much the same, so that no
   sign has to be elected, but their plain sum would go too far. To average them does as well.
3. At least a third of all magnitudes cancels when the deltas are added: ties, or dare_ties. Where
   signs disagree they keep the stronger side instead of the small rest.
4. Else task_arithmetic: deltas that are nearly orthogonal, or whose large entries lie apart, add
   up without taking much from each other.

The weight of task_arithmetic is Σ‖τᵢ‖² / ‖Στᵢ‖², not above 1: then the merged difference is, along
the deltas and on average, as long as they are. It is 1 for orthogonal deltas, 1/n for equal ones.

Without a base:

5. Models whose average would be more than 1 % shorter than they are: slerp for two and karcher for
   more, which keep their length.
6. Else linear with equal weights.

A note names models that did not move, one that went three times as far as another, and, without a
base, whether a lowest cosine of 0.9 or more speaks for one origin.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Mapping
from dataclasses import dataclass, replace

from sdmerge.analysis.interference import Interference
from sdmerge.analysis.sums import Measures
from sdmerge.params import Scalar

ALIKE = 0.5
CANCELLED = 1 / 3
SHORTER = 0.01
ONE_ORIGIN = 0.9
FARTHER = 3.0


@dataclass(frozen=True, slots=True)
class Suggestion:
    """What to try first; a weight is for each model. `also` are methods worth comparing."""

    method: str
    parameters: Mapping[str, Scalar]
    reason: str
    also: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()


def suggest(found: Interference) -> Suggestion:
    """A method and starting weights for what was measured."""
    if found.based:
        return replace(_of_deltas(found.whole), notes=_moved(found))
    return replace(_of_weights(found.whole), notes=_origin(found.whole))


def _of_deltas(whole: Measures) -> Suggestion:
    cosines = [cosine for cosine in whole.cosines if cosine is not None]
    if not cosines:
        reason = "no two models differ from the base: there is nothing to collide"
        return Suggestion("task_arithmetic", {"weight": 1.0}, reason)
    alike, lost = sum(cosines) / len(cosines), whole.cancelled or 0.0
    added = {"weight": _full_length(whole)}
    if alike >= ALIKE:
        reason = f"the deltas are alike (mean cosine {alike:.2f}): their plain sum would go too far"
        return Suggestion("task_arithmetic", added, reason, ("linear",))
    share = f"{lost:.0%} of all movement cancels when the deltas are added"
    if lost >= CANCELLED:
        reason = f"{share}, a third or more: an elected sign keeps the stronger side"
        return Suggestion("ties", {"weight": 1.0}, reason, ("dare_ties", "task_arithmetic"))
    reason = f"{share}, less than a third, at a mean cosine of {alike:.2f}: little is lost"
    return Suggestion("task_arithmetic", added, reason, ("ties",))


def _of_weights(whole: Measures) -> Suggestion:
    lengths, pair = sum(whole.norms), len(whole.norms) == 2
    shorter = 1 - _length_of_sum(whole) / lengths if lengths else 0.0
    reason = f"the average of the models is {shorter:.2%} shorter than they are"
    curved, values = ("slerp", {"t": 0.5}) if pair else ("karcher", {"weight": 1.0})
    if shorter > SHORTER:
        kept = f"{reason}, more than {SHORTER:.0%}, and {curved} keeps their length"
        return Suggestion(curved, values, kept, ("linear",))
    return Suggestion("linear", {"weight": 1.0}, reason, (curved,))


def _length_of_sum(whole: Measures) -> float:
    pairs = itertools.combinations(whole.norms, 2)
    crossed = sum((cos or 0.0) * a * b for cos, (a, b) in zip(whole.cosines, pairs, strict=True))
    return math.sqrt(max(0.0, sum(norm**2 for norm in whole.norms) + 2 * crossed))


def _full_length(whole: Measures) -> float:
    """Σ‖τᵢ‖² / ‖Στᵢ‖², at most 1."""
    squares, of_sum = sum(norm**2 for norm in whole.norms), _length_of_sum(whole) ** 2
    return round(squares / of_sum, 2) if of_sum > squares else 1.0


def _moved(found: Interference) -> tuple[str, ...]:
    """A word on models that did not move, and on one that went much farther than another."""
    norms = dict(zip(found.names, found.whole.norms, strict=True))
    notes = [f"{name} does not differ from the base" for name, norm in norms.items() if not norm]
    order = sorted((name for name in norms if norms[name]), key=norms.__getitem__)
    if order and norms[order[-1]] >= FARTHER * norms[order[0]]:
        times = f"{norms[order[-1]] / norms[order[0]]:.1f} times as far from the base"
        hint = "lower its weight if it drowns the others"
        notes.append(f"{order[-1]} went {times} as {order[0]}: {hint}")
    return tuple(notes)


def _origin(whole: Measures) -> tuple[str, ...]:
    """A word on whether the models may be compared with a base, and averaged at all."""
    lowest = min((cosine for cosine in whole.cosines if cosine is not None), default=1.0)
    seen = f"the lowest cosine is {lowest:.4f}"
    if lowest < ONE_ORIGIN:
        return (f"{seen}: models that do not come from one seldom work when averaged",)
    hint = "name it as base_model, and what each has learned is compared"
    return (f"{seen}: they seem to come from one model; {hint}",)
