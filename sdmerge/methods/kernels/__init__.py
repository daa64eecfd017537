"""Second bodies: a method's formula in one pass over memory, bit for bit what its plain body gives.

The plain body stays the definition, and what runs where numba is missing. A kernel of `name` is the
function `name` in `name.py`, with the plain body's arguments; it may overwrite the inputs it gets.
"""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Mapping
from dataclasses import replace

from sdmerge.compiled import available
from sdmerge.method import Method
from sdmerge.tally import PLAIN, Tally

PAYS = 1 << 25
"""Elements from which on a kernel saves more time than loading numba takes."""

KERNELS = frozenset(
    module.name for module in pkgutil.iter_modules(__path__) if not module.name.startswith("_")
)


def has_kernel(method: Method) -> bool:
    """Whether a kernel exists and can run here. It is for our method, not for one called alike."""
    package = __name__.rpartition(".")[0]
    ours = method.body.__module__.rpartition(".")[0] == package
    return ours and method.name in KERNELS and available()


def with_kernel(method: Method) -> Method:
    """The method with its kernel for a body, where there is one."""
    if not has_kernel(method):
        return method
    module = importlib.import_module(f"{__name__}.{method.name}")
    return replace(method, body=getattr(module, method.name))


def tally() -> Tally:
    """The compiled counting, where it can run."""
    if not available():
        return PLAIN
    from sdmerge.compiled.counting import count_high, count_low

    return Tally(count_high, count_low)


def compiled(
    methods: Mapping[str, Method], elements: Mapping[str, int]
) -> tuple[dict[str, Method], Tally]:
    """The methods in use and how to count, compiled where the number of `elements` is worth it."""
    large = {name: count >= PAYS for name, count in elements.items()}
    chosen = {name: with_kernel(methods[name]) if large[name] else methods[name] for name in large}
    return chosen, tally() if any(methods[name].stats and large[name] for name in large) else PLAIN
