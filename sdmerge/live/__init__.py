"""LiveMerge: a pipeline in memory whose weights follow a recipe as its values change.

`pipeline` builds a diffusers pipeline without weights and puts it on a device, `memory` keeps the
tensors of model files, `merge` writes what changed.
"""

from sdmerge.live.memory import Memory, free_share
from sdmerge.live.merge import LiveMerge, Shown

__all__ = ["LiveMerge", "Memory", "Shown", "free_share"]
