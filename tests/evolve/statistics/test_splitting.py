"""Splits: every line in one part, pairs of words held out, and files that overlap."""

from __future__ import annotations

import itertools
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sdmerge.errors import InputError
from sdmerge.evolve.statistics import Split, check_disjoint, split_prompts
from sdmerge.scoring.prompts import Line, read_prompts

ROOT = Path(__file__).resolve().parents[3]
SHAPES = ("circle", "square", "triangle", "star")
COLOURS = ("red", "blue", "green", "white", "black")
GROUNDS = ("grey", "pink", "yellow")


def english() -> list[Line]:
    return [Line(text, text) for text in (
        f"a {colour} {shape} on {ground}"
        for colour, shape, ground in itertools.product(COLOURS, SHAPES, GROUNDS))]  # fmt: skip


def japanese() -> list[Line]:
    shapes, colours, grounds = (
        ("丸", "四角", "星"),
        ("赤い", "青い", "緑の"),
        ("白い", "黒い", "紫の"),
    )
    return [Line(f"{ground}背景に{colour}{shape}", f"浮世絵風、{ground}背景に{colour}{shape}")
            for shape, colour, ground in itertools.product(shapes, colours, grounds)]  # fmt: skip


def parts(split: Split) -> list[tuple[Line, ...]]:
    return [split.search, split.validation, split.test]


def pairs(lines: tuple[Line, ...]) -> set[frozenset[str]]:
    """Pairs of English words, as the test counts them."""
    return {
        frozenset(pair)
        for line in lines
        for pair in itertools.combinations(line.caption.split(), 2)
    }


def words(lines: tuple[Line, ...]) -> set[str]:
    return {word for line in lines for word in line.caption.split()}


TEXTS = st.text("ab あ漢", min_size=1, max_size=6).filter(str.strip)


@settings(max_examples=40, deadline=None)
@given(seed=st.integers(0, 10_000), lines=st.lists(TEXTS, min_size=4, max_size=40))
def test_every_line_has_one_part_and_equal_prompts_the_same(seed: int, lines: list[str]) -> None:
    given_lines = [Line(text, text) for text in lines]
    different = {" ".join(text.split()) for text in lines}
    if len(different) < 3:
        with pytest.raises(InputError, match="cannot be split in three"):
            split_prompts(given_lines, seed=seed)
        return
    split = split_prompts(given_lines, seed=seed)
    everything = [line for part in parts(split) for line in part]
    assert sorted(line.prompt for line in everything) == sorted(lines)
    assert all(parts(split))
    check_disjoint(dict(zip(("search", "validation", "test"), parts(split), strict=True)))


@pytest.mark.parametrize("seed", range(5))
def test_test_has_pairs_of_words_that_were_never_together(seed: int) -> None:
    split = split_prompts(english(), (0.6, 0.15, 0.25), seed=seed)
    assert split.how == "compositional"
    seen, chosen = pairs(split.search), pairs(split.search) | pairs(split.validation)
    assert all(pairs((line,)) - seen for line in split.validation)
    assert all(pairs((line,)) - chosen for line in split.test)
    assert words(split.search) == words(tuple(english()))
    assert 9 <= len(split.test) <= 15
    assert 6 <= len(split.validation) <= 9
    assert split.held_out
    assert not {frozenset(pair) for pair in split.held_out} & seen


def test_japanese_words_are_found_without_spaces() -> None:
    split = split_prompts(japanese(), seed=1)
    assert split.how == "compositional"
    for one, other in split.held_out:
        assert not any(one in line.caption and other in line.caption for line in split.search)
        assert any(one in line.caption for line in split.search)
    assert {word for pair in split.held_out for word in pair} <= {
        "丸", "四角", "星", "赤", "青", "緑", "白", "黒", "紫", "の", "い", "に"
    }  # fmt: skip


def test_unlike_captions_are_split_at_random() -> None:
    lines = [Line(f"{n}{n}", f"w{n}x v{n}y") for n in range(50)]
    split = split_prompts(lines, (0.5, 0.2, 0.3), seed=0)
    assert (split.how, split.held_out) == ("random", ())
    assert [len(part) for part in parts(split)] == [25, 10, 15]
    assert split == split_prompts(lines, (0.5, 0.2, 0.3), seed=0)
    assert split != split_prompts(lines, (0.5, 0.2, 0.3), seed=1)


def test_shares_that_make_no_sense() -> None:
    for shares in ((0.5, 0.5, 0.0), (0.5, 0.5, 0.5)):
        with pytest.raises(InputError, match="add up to 1"):
            split_prompts(english(), shares)


def test_files_that_overlap_are_named_with_their_lines(tmp_path: Path) -> None:
    (tmp_path / "search.txt").write_text("a boat\n\nred  Circle\n", "utf-8")
    (tmp_path / "test.jsonl").write_text('{"prompt": "a cat"}\n{"prompt": "Red circle"}\n', "utf-8")
    files = {name: read_prompts(tmp_path / name) for name in ("search.txt", "test.jsonl")}
    with pytest.raises(InputError, match=r"'Red circle' is search.txt:3 and test.jsonl:2"):
        check_disjoint(files)
    check_disjoint({"search.txt": files["search.txt"], "other": [Line("a cat", "a cat")]})


def test_the_samples_do_not_overlap() -> None:
    folder = ROOT / "samples/prompts"
    check_disjoint({name: read_prompts(folder / f"{name}.jsonl")
                    for name in ("search", "validation", "test")})  # fmt: skip
