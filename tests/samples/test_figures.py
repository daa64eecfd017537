"""The stored figures of the sample models keep the story the README tells."""

import json

import pytest

from samples.train.readme import COLUMNS, FIGURES, README, differences
from samples.train.table import ROWS, Figures, measure

STORED: Figures = json.loads(FIGURES.read_text("utf-8"))
MERGES = ("base + 1.0 Δjapanese + 1.0 Δukiyoe", "base + 1.0 Δjapanese + 0.8 Δukiyoe")
JAPANESE = ("Japanese", "Japanese with 浮世絵風、")


def value(line: str, column: str) -> float:
    return STORED[line][column]["value"]


def test_oracle_and_autoencoder_are_no_obstacle() -> None:
    for style in ("plain", "ukiyoe"):
        for column in ("shape", "foreground", "background", "style"):
            assert value(f"drawn | {style}", column) >= 0.98
        assert value(f"through the autoencoder | {style}", "content") >= 0.95


def test_every_parent_can_do_its_own_thing() -> None:
    assert value("base | English | plain", "content") >= 0.93
    for prompts in JAPANESE:
        assert value(f"japanese | {prompts} | plain", "content") >= 0.91
    assert value("ukiyoe | English | ukiyoe", "style") >= 0.98
    assert value("ukiyoe | English | ukiyoe", "content") >= 0.86


@pytest.mark.parametrize(("prompts", "least"), [(JAPANESE[0], 0.82), (JAPANESE[1], 0.80)])
def test_only_a_merge_draws_japanese_prompts_as_prints(prompts: str, least: float) -> None:
    for parent in ("base", "japanese", "ukiyoe"):
        assert value(f"{parent} | {prompts} | ukiyoe", "both") <= 0.10
    assert max(value(f"{merge} | {prompts} | ukiyoe", "both") for merge in MERGES) >= least


def test_readme_shows_the_stored_figures() -> None:
    text = README.read_text("utf-8")
    for columns in STORED.values():
        assert columns.keys() == set(COLUMNS)
        for share in columns.values():
            assert share["low"] <= share["value"] <= share["high"]
            assert f"{share['value']:.3f} ({share['low']:.3f}–{share['high']:.3f})" in text
    assert len(STORED) == len(ROWS) + 4


@pytest.mark.long
def test_measured_again_the_figures_are_the_same() -> None:
    assert not differences(measure(processes=2))
