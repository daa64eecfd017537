"""The engines: one idea per file, imported in name order."""

from __future__ import annotations

import importlib
import pkgutil

from sdmerge.evolve.engine.spec import ENGINES

for _module in sorted(module.name for module in pkgutil.iter_modules(__path__)):
    importlib.import_module(f"{__name__}.{_module}")

__all__ = ["ENGINES"]
