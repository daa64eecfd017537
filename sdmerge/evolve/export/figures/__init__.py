"""Figures of a study, each a function of its history. They keep no state of matplotlib's."""

from sdmerge.evolve.export.figures.curve import curve
from sdmerge.evolve.export.figures.forest import forest
from sdmerge.evolve.export.figures.front import front
from sdmerge.evolve.export.figures.importance import importance
from sdmerge.evolve.export.figures.parallel import parallel
from sdmerge.evolve.export.figures.theme import DARK, LIGHT, Theme, png, save
from sdmerge.evolve.export.figures.values import blocks, values
from sdmerge.evolve.export.importances import importances

__all__ = [
    "DARK", "LIGHT", "Theme", "blocks", "curve", "forest", "front", "importance", "importances",
    "parallel", "png", "save", "values",
]  # fmt: skip
