"""Figures: drawn from any history, on both papers, without touching matplotlib's own state."""

from __future__ import annotations

import io
import sys

import numpy as np
import pytest
from histories import BLOCKS, a_test, history
from matplotlib import rcParams
from matplotlib.figure import Figure
from matplotlib.text import Text
from PIL import Image

from sdmerge.evolve.export import figures
from sdmerge.evolve.export.figures.front import on_front
from sdmerge.evolve.export.figures.theme import short, spread
from sdmerge.evolve.export.history import History
from sdmerge.evolve.export.verdict import table_of
from sdmerge.evolve.export.winner import choose


def every(study: History, theme: figures.Theme = figures.LIGHT) -> dict[str, Figure | None]:
    winner = choose(study).candidate
    return {
        "curve": figures.curve(study, theme),
        "forest": figures.forest(study, table_of(a_test()), theme),
        "front": figures.front(study, theme),
        "values": figures.values(study, winner, theme),
        "blocks": figures.blocks(study, winner, theme),
        "importance": figures.importance(study, theme),
        "parallel": figures.parallel(study, winner, [*figures.importances(study)], theme),
    }


def texts(drawn: Figure) -> list[str]:
    return [one.get_text() for one in drawn.findobj(Text) if one.get_text()]  # type: ignore[attr-defined]


@pytest.mark.parametrize("theme", [figures.LIGHT, figures.DARK])
def test_every_figure_is_a_picture(theme: figures.Theme) -> None:
    before, loaded = rcParams.copy(), "matplotlib.pyplot" in sys.modules
    for name, drawn in every(history(objectives=2), theme).items():
        assert drawn is not None, name
        image = Image.open(io.BytesIO(figures.png(drawn)))
        assert image.width > 600, name
        corner = "#" + bytes(image.convert("RGB").getpixel((2, 2))).hex()  # type: ignore[arg-type]
        assert corner == theme.paper, name
        assert len(image.convert("RGB").getcolors(1 << 20)) > 20, name
    assert rcParams.copy() == before
    assert ("matplotlib.pyplot" in sys.modules) == loaded


def test_what_there_is_nothing_of_is_left_out() -> None:
    found = every(history(objectives=1, per_block=False))
    assert found["front"] is None
    assert found["blocks"] is None
    assert figures.forest(history(tested=False), table_of(a_test())) is None


def test_the_curve_names_its_lines() -> None:
    drawn = figures.curve(history())
    said = texts(drawn)
    assert {short("日本語"), "ukiyoe", "uniform soup", "alarm"} <= set(said)
    assert any(text.startswith("validation, judge: clip_b") for text in said)
    search = drawn.axes[0]
    levels = {line.get_ydata()[0] for line in search.lines if len(set(line.get_ydata())) == 1}
    assert {0.20, 0.31, 0.52, 0.54} <= levels


def test_a_search_without_validation_has_a_curve() -> None:
    import dataclasses

    study = dataclasses.replace(history(), validations=(), alarms=())
    assert len(figures.curve(study).axes) == 1
    empty = dataclasses.replace(study, trials=())
    figures.png(figures.curve(empty))


def test_importance_finds_the_genes_that_matter() -> None:
    """The score of the test's history depends on its first three genes only."""
    shares = figures.importances(history())
    assert sum(shares.values()) == pytest.approx(1)
    assert set(list(shares)[:5]) & {gene.name for gene in history().genes[:3]}
    few = history()
    assert (
        figures.importances(History(few.name, few.genes, few.trials[:10], (), ("x",), (), (), "x"))
        == {}
    )


def test_blocks_are_curves_in_their_order() -> None:
    study = history()
    winner = choose(study).candidate
    axes = figures.blocks(study, winner).axes  # type: ignore[union-attr]
    assert [label.get_text() for label in axes[0].get_xticklabels()] == list(BLOCKS)
    line = axes[0].lines[0]
    assert list(line.get_ydata()) == [
        winner[f"models[ukiyoe].parameters.weight/{block}"] for block in BLOCKS
    ]


def test_fronts_by_hand() -> None:
    rows = [(1.0, 0.0), (0.0, 1.0), (0.4, 0.4), (0.5, 0.5), (0.5, 0.2), (1.0, 0.0)]
    assert on_front(rows) == [True, True, False, True, False, True]


def test_labels_stand_apart_in_their_order() -> None:
    moved = spread([0.5, 0.1, 0.51, 0.52], 0.1)
    assert np.argsort(moved).tolist() == np.argsort([0.5, 0.1, 0.51, 0.52]).tolist()
    assert min(np.diff(sorted(moved))) >= 0.1 - 1e-12


def test_names_are_never_mathematics() -> None:
    drawn = figures.blocks(history(), choose(history()).candidate)
    assert drawn is not None
    figures.png(drawn)
    assert any("$x_1$" in text for text in texts(drawn))
