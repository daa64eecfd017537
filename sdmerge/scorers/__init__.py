"""The scorers: one idea per file, imported in name order."""

from __future__ import annotations

import importlib
import pkgutil

from sdmerge.scoring.scorer import SCORERS

for _module in sorted(module.name for module in pkgutil.iter_modules(__path__)):
    if not _module.startswith("_"):
        importlib.import_module(f"{__name__}.{_module}")

__all__ = ["SCORERS"]
