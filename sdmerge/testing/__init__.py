"""Laws and stand-ins for whoever adds a method, a scorer, an engine, a family or a file format.

Import it in your own tests.
"""

from __future__ import annotations

from sdmerge.testing.engine_laws import check_engine
from sdmerge.testing.family_laws import check_family, copy_by
from sdmerge.testing.method_laws import check_method
from sdmerge.testing.random_loras import random_lora
from sdmerge.testing.random_models import random_model, random_specs, random_tensor
from sdmerge.testing.scorer_laws import check_scorer
from sdmerge.testing.source_laws import check_adapter

__all__ = [
    "check_adapter",
    "check_engine",
    "check_family",
    "check_method",
    "check_scorer",
    "copy_by",
    "random_lora",
    "random_model",
    "random_specs",
    "random_tensor",
]
