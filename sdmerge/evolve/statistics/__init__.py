"""What it takes to believe a search: alarms while it runs, and prompts that it has not seen.

Intervals, differences and Holm's correction are those of sdmerge.scoring.statistics.
"""

from sdmerge.evolve.statistics.alarm import Alarm, Look, overfitting
from sdmerge.evolve.statistics.narrowing import Narrowed, narrowing
from sdmerge.evolve.statistics.splitting import Split, check_disjoint, split_prompts

__all__ = [
    "Alarm", "Look", "Narrowed", "Split", "check_disjoint", "narrowing", "overfitting",
    "split_prompts",
]  # fmt: skip
