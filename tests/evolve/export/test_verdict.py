"""Verdicts claim what the intervals allow, and tables are corrected as a whole."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from histories import a_test, history

from sdmerge.evolve.export.history import Test
from sdmerge.evolve.export.report.words import catalogue, plain
from sdmerge.evolve.export.verdict import table_of, verdicts


def test_differences_are_the_winner_minus_the_other() -> None:
    test = a_test()
    found = table_of(test)
    one = found.of("ukiyoe", "clip_b")
    assert one is not None
    own, other = (np.array(test.scores[name]["clip_b"]) for name in ("winner", "ukiyoe"))
    assert one.gap.mean == pytest.approx((own - other).mean())
    assert one.gap.low < 0.5 < one.gap.high
    assert one.outcome == "above"
    assert found.of("winner", "clip_b") is None
    assert found.means["ukiyoe"]["clip_b"].mean == pytest.approx(other.mean())


def test_all_comparisons_are_corrected_together() -> None:
    """Twelve comparisons: the smallest p is multiplied by twelve, the largest by one."""
    found = table_of(a_test())
    assert len(found.compared) == 12
    smallest = min(found.compared, key=lambda one: one.gap.p)
    assert smallest.p == pytest.approx(12 * smallest.gap.p)
    largest = max(found.compared, key=lambda one: one.gap.p)
    assert largest.p >= largest.gap.p
    equal = found.of("task arithmetic 0.8", "clip_b")
    assert equal is not None
    assert equal.outcome == "open"


def test_an_interval_above_zero_is_not_enough() -> None:
    """With many comparisons one of them has such an interval by chance; corrected, it is open."""
    dice = np.random.default_rng(3)
    own = dice.normal(0, 1, 40)
    own = (own - own.mean()) / own.std() + 0.35
    rows = {"winner": own, **{f"other {n}": np.zeros(40) for n in range(9)}}
    rows |= {f"other {n}": dice.permutation(own) - 0.05 * n for n in range(1, 9)}
    test = Test(1, {name: {"x": tuple(row.tolist())} for name, row in rows.items()},
                dict.fromkeys(rows, "parent"))  # fmt: skip
    one = table_of(test).of("other 0", "x")
    assert one is not None
    assert one.gap.low > 0
    assert one.outcome == "open"


def test_sentences() -> None:
    said = {(one.key, one.column): one for one in verdicts(history(), table_of(a_test()))}
    assert said["above_parents", "oracle"].words["name"] == "ukiyoe"
    keys = [(one.key, one.words.get("name", "")) for one in said.values()]
    assert ("above", "uniform soup") in keys
    assert ("open", "task arithmetic 0.8") in keys
    assert not any(one.column == "clip_a" for one in said.values())
    assert ("alarmed", "") in said
    assert ("again", "") not in said
    told = plain("above", **said["above", "clip_b"].words)
    assert told.startswith("By clip_b the winner is better than uniform soup: +0.0")


def test_one_open_parent_spoils_the_claim() -> None:
    test = a_test()
    close = {**test.scores, "ukiyoe": test.scores["task arithmetic 0.8"]}
    done = replace(history(), test=replace(test, scores=close, runs=3))
    said = verdicts(done, table_of(done.test))
    assert [one.words["names"] for one in said if one.key == "open_parents"] == ["ukiyoe"] * 2
    assert not [one for one in said if one.key == "above_parents"]
    assert [one.words["runs"] for one in said if one.key == "again"] == ["3"]
    rows = {column: tuple(score + 1 for score in row)
            for column, row in test.scores["winner"].items()}  # fmt: skip
    better = {**test.scores, "ukiyoe": rows}
    done = replace(done, test=replace(test, scores=better))
    assert "below_parents" in [one.key for one in verdicts(done, table_of(done.test))]


def test_lower_may_be_better() -> None:
    found = table_of(a_test(), lower=("clip_b",))
    one, other = found.of("ukiyoe", "clip_b"), found.of("ukiyoe", "oracle")
    assert one is not None
    assert other is not None
    assert (one.outcome, other.outcome) == ("below", "above")


def test_without_a_test_nothing_is_claimed() -> None:
    said = verdicts(history(tested=False), None)
    assert [one.key for one in said] == ["untested"]


def test_one_prompt_claims_nothing() -> None:
    test = Test(1, {"winner": {"x": (1.0,)}, "parent": {"x": (0.0,)}},
                {"winner": "winner", "parent": "parent"})  # fmt: skip
    assert table_of(test).compared[0].outcome == "open"


def test_every_sentence_is_said_in_both_languages() -> None:
    import re

    for key, texts in catalogue().items():
        fields = [set(re.findall(r"{(\w+)}", texts[language])) for language in ("en", "ja")]
        assert fields[0] == fields[1], key
