"""@jit: numba without fast-math, whose machine code is kept in the user's cache folder."""

from __future__ import annotations

import functools
import hashlib
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar, cast

import numba
import platformdirs
from numba.core import config as _config

Function = TypeVar("Function", bound=Callable[..., Any])


def jit(function: Function) -> Function:
    """The function as machine code that rounds as it is written and lets other threads run.

    Fast-math is off: it reorders sums. Division by zero gives an infinity, as in torch.
    """
    config: Any = _config
    before = config.CACHE_DIR
    # numba looks at it here and now; other libraries keep their own folder
    config.CACHE_DIR = before or str(_folder())
    try:
        return _compiled(function, cache=True)
    except RuntimeError:  # no folder that can be written to
        return _compiled(function, cache=False)
    finally:
        config.CACHE_DIR = before


def _compiled(function: Function, *, cache: bool) -> Function:
    njit: Any = numba.njit
    return cast("Function", njit(function, nogil=True, error_model="numpy", cache=cache))


@functools.cache
def _folder() -> Path:
    """A folder of its own for every version of the loops.

    numba sees when a function's file changes, but not when a file does that it calls into.
    """
    package = Path(__file__).resolve().parents[1]
    sources = [
        *sorted(package.glob("compiled/*.py")),
        *sorted(package.glob("methods/kernels/*.py")),
    ]
    digest = hashlib.blake2b(b"\0".join(path.read_bytes() for path in sources), digest_size=8)
    return Path(platformdirs.user_cache_dir("sdmerge")) / f"compiled-{digest.hexdigest()}"
