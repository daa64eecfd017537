"""Analysis: do the models of a recipe get in each other's way, where, and what to try first.

`sums` adds up what slabs of tensors say, `interference` reads the tensors of a recipe, `columns`
puts the numbers into words, `suggest` makes a method and starting weights of them, `heatmap` draws
them, and `bars` what is told of LoRAs.
"""

from sdmerge.analysis.bars import Panel, bars
from sdmerge.analysis.columns import Column, columns, legend
from sdmerge.analysis.heatmap import heatmap
from sdmerge.analysis.interference import Interference, comparison, measure
from sdmerge.analysis.suggest import Suggestion, suggest
from sdmerge.analysis.sums import Measures

__all__ = [
    "Column",
    "Interference",
    "Measures",
    "Panel",
    "Suggestion",
    "bars",
    "columns",
    "comparison",
    "heatmap",
    "legend",
    "measure",
    "suggest",
]
