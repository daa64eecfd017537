"""The search space: a recipe's marks as genes, and genes filled in as a recipe.

`places` finds every value of a recipe, `marks` says which genes a mark is, `space` fills them,
`build` makes a space of a recipe and its plan, `baselines` are the recipes to be beaten. Imports no
torch: plans are made by whoever asks for a space.
"""

from sdmerge.evolve.space.baselines import Baseline, parents, soup, sweep
from sdmerge.evolve.space.build import space_of
from sdmerge.evolve.space.space import Space

__all__ = ["Baseline", "Space", "parents", "soup", "space_of", "sweep"]
