"""Loops compiled by numba, for what torch and numpy pass over memory many times to do.

Nothing here is needed: each loop has a plain counterpart that gives the same bytes. Only `jit`
imports numba, and only those import `jit` who are about to use it.
"""

from __future__ import annotations

import functools
from importlib.util import find_spec


@functools.cache
def available() -> bool:
    """Whether numba is installed; asking does not load it."""
    return find_spec("numba") is not None
