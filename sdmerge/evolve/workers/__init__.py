"""Workers: who evaluates. In this process, in processes of their own, or on other machines.

An executor takes jobs as it has hands free and gives outcomes as they are done, in any order. What
becomes of an outcome does not depend on that order.
"""

from sdmerge.evolve.workers.job import Executor, Job, Opener, Outcome
from sdmerge.evolve.workers.local import Local
from sdmerge.evolve.workers.processes import Processes, devices_of

__all__ = ["Executor", "Job", "Local", "Opener", "Outcome", "Processes", "devices_of"]
