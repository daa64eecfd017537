"""Exams: seeds per prompt, parts, and evaluations that JSON keeps exactly."""

import json
import math

from hypothesis import given
from hypothesis import strategies as st

from sdmerge.evolve.exam import Evaluation, Exam
from sdmerge.scoring.prompts import Line

LINES = [Line(f"prompt {n}", f"caption {n}") for n in range(6)]
FLOATS = st.floats(allow_nan=False, allow_infinity=False)


def test_every_picture_has_a_seed_of_its_own() -> None:
    exam = Exam.of(LINES, 3, "search", 0, 7)
    seeds = [seed for own in exam.seeds for seed in own]
    assert exam.pictures == len(set(seeds)) == 18
    assert all(0 <= seed < 2**48 for seed in seeds)


def test_the_same_words_ask_the_same_and_others_share_no_seed() -> None:
    exam = Exam.of(LINES, 2, "search", 0, 7)
    assert exam == Exam.of(LINES, 2, "search", 0, 7)
    for other in (Exam.of(LINES, 2, "test", 0, 7), Exam.of(LINES, 2, "search", 0, 8)):
        assert exam.id != other.id
        assert not {s for own in exam.seeds for s in own} & {s for own in other.seeds for s in own}


def test_a_part_asks_these_prompts_with_their_seeds() -> None:
    exam = Exam.of(LINES, 2, "search")
    part = exam.part([4, 1])
    assert [line.prompt for line in part.lines] == ["prompt 4", "prompt 1"]
    assert part.seeds == (exam.seeds[4], exam.seeds[1])


def test_another_caption_is_another_exam() -> None:
    assert Exam((Line("a", "a"),), ((1,),)).id != Exam((Line("a", "b"),), ((1,),)).id


@given(st.lists(st.lists(FLOATS, min_size=1, max_size=3), min_size=1, max_size=4))
def test_json_keeps_an_evaluation_bit_for_bit(rows: list[list[float]]) -> None:
    table = tuple(tuple(own) for own in rows)
    evaluation = Evaluation({"clip": table}, ("flat",), {"merge": 0.1})
    again = Evaluation.from_data(json.loads(json.dumps(evaluation.to_data())))
    assert again == evaluation
    assert again.seconds == evaluation.seconds


def test_prompts_count_alike_however_many_pictures_they_have() -> None:
    evaluation = Evaluation({"clip": ((1.0, 0.0), (0.2,))})
    assert evaluation.per_prompt("clip") == (0.5, 0.2)
    assert math.isclose(evaluation.mean("clip"), 0.35)
