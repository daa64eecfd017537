"""The stored figures of the samples keep the story the README tells."""

import json

import pytest

from samples.train.readme import COLUMNS, FIGURES, README, Everything, differences
from samples.train.rows import ROWS
from samples.train.scores import measure_all
from samples.train.world import STYLES

STORED: Everything = json.loads(FIGURES.read_text("utf-8"))
USUAL, FEW = "8 steps", "4 steps, no guidance"
MERGES = ("base + 1.0 Δjapanese + 1.0 Δukiyoe", "base + 1.0 Δjapanese + 0.8 Δukiyoe")
FAST = f"{MERGES[1]} + 0.3 Δdistilled"
JAPANESE = ("Japanese", "Japanese with 浮世絵風、")


def value(line: str, column: str) -> float:
    return STORED["models"][line][column]["value"]


def test_oracle_and_autoencoder_are_no_obstacle() -> None:
    for what in ("— | — | plain", "— | — | ukiyoe", "torii | — | plain"):
        for column in ("shape", "foreground", "background", "style"):
            assert value(f"drawn | {what}", column) >= 0.98
        assert value(f"through the autoencoder | {what}", "content") >= 0.95


def test_every_parent_can_do_its_own_thing() -> None:
    assert value(f"base | English | {USUAL} | plain", "content") >= 0.93
    for prompts in JAPANESE:
        assert value(f"japanese | {prompts} | {USUAL} | plain", "content") >= 0.91
    assert value(f"ukiyoe | English | {USUAL} | ukiyoe", "style") >= 0.98
    assert value(f"ukiyoe | English | {USUAL} | ukiyoe", "content") >= 0.86


@pytest.mark.parametrize(("prompts", "least"), [(JAPANESE[0], 0.82), (JAPANESE[1], 0.80)])
def test_only_a_merge_draws_japanese_prompts_as_prints(prompts: str, least: float) -> None:
    for parent in ("base", "japanese", "ukiyoe"):
        assert value(f"{parent} | {prompts} | {USUAL} | ukiyoe", "both") <= 0.10
    assert (
        max(value(f"{merge} | {prompts} | {USUAL} | ukiyoe", "both") for merge in MERGES) >= least
    )


def test_the_student_needs_four_steps_and_no_guidance() -> None:
    for model in ("distilled", "base with few_step"):
        assert value(f"{model} | English | {FEW} | plain", "content") >= 0.82


def test_merges_draw_in_four_steps_what_no_parent_draws() -> None:
    for parent in ("base", "japanese", "ukiyoe", "distilled"):
        assert value(f"{parent} | Japanese | {FEW} | ukiyoe", "both") <= 0.10
    assert value(f"{FAST} | Japanese | {FEW} | ukiyoe", "both") >= 0.80


def test_the_distractor_hurts() -> None:
    assert value(f"distractor | English | {USUAL} | plain", "content") <= 0.10
    for clean, spoiled in (
        ("½ japanese + ½ ukiyoe", "⅓ japanese + ⅓ ukiyoe + ⅓ distractor"),
        (MERGES[0], f"{MERGES[0]} + 0.5 Δdistractor"),
    ):
        lines = (f"{merge} | Japanese | {USUAL} | ukiyoe" for merge in (clean, spoiled))
        without, with_it = (value(line, "content") for line in lines)
        assert with_it < without - 0.1


def test_loras_teach_a_subject_and_a_style() -> None:
    assert value(f"base with torii | English, torii | {USUAL} | plain", "shape") >= 0.9
    assert value(f"base | English, torii | {USUAL} | plain", "shape") <= 0.1
    assert value(f"base with pop | English | {USUAL} | pop", "style") >= 0.9
    assert value(f"base with pop | English | {USUAL} | pop", "content") >= 0.75
    assert value(f"base | English | {USUAL} | pop", "style") <= 0.1
    for variant in ("pop_dora", "pop_locon"):
        assert value(f"base with {variant} | English | {USUAL} | pop", "style") >= 0.8


@pytest.mark.parametrize("scorer", ["clip_a", "clip_b"])
def test_scorers_find_the_caption_of_a_triple_they_never_saw(scorer: str) -> None:
    for style in STYLES:
        for language in ("en", "ja"):
            found = STORED["scorers"][f"{scorer} | {style} | {language}"]
            assert found["caption"]["value"] >= 0.95
            assert found["picture"]["value"] >= 0.95


def test_readme_shows_the_stored_figures() -> None:
    text = README.read_text("utf-8")
    for columns in STORED["models"].values():
        assert columns.keys() == set(COLUMNS)
    for table in STORED.values():
        for columns in table.values():
            for share in columns.values():
                assert share["low"] <= share["value"] <= share["high"]
                assert f"{share['value']:.3f} ({share['low']:.3f}–{share['high']:.3f})" in text
    assert len(STORED["models"]) == len(ROWS) + 8


@pytest.mark.long
def test_measured_again_the_figures_are_the_same() -> None:
    assert not differences(measure_all(processes=2))
