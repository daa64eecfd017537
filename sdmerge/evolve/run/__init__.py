"""The run: baselines first, then generations, until the budget is spent.

options     what a search is, and how long it goes on
exams       the prompts and seeds of every generation
asking      who evaluates, what is replayed, what failed
rules       what the engine is told: halving, the floor, failures
baselines   parents, soups, a sweep of task arithmetic, recipes of the user's
validating  other prompts, another scorer, and the alarms
search      the loop
winner      what came out best
"""

from sdmerge.evolve.run.baselines import Baseline, added, usual
from sdmerge.evolve.run.options import Budget, Objective, Options
from sdmerge.evolve.run.progress import Progress
from sdmerge.evolve.run.search import Ended, Search
from sdmerge.evolve.run.searched import Searched
from sdmerge.evolve.run.winner import Standing, best, standings

__all__ = [
    "Baseline", "Budget", "Ended", "Objective", "Options", "Progress", "Search", "Searched",
    "Standing", "added", "best", "standings", "usual",
]  # fmt: skip
