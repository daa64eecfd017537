"""Plug-ins: files and packages that add methods, scorers and engines of their own."""

from __future__ import annotations

import importlib.util
import sys
from importlib.metadata import entry_points
from pathlib import Path

from sdmerge.errors import EngineError, FileError, MethodError, ScorerError
from sdmerge.manifest import manifest
from sdmerge.methods import METHODS
from sdmerge.scoring.scorer import SCORERS
from sdmerge.scoring.spec import announce

GROUPS = ("sdmerge.methods", "sdmerge.scorers", "sdmerge.engines")


def load_plugin(path: Path) -> None:
    """Run the Python file at `path`; what it registers is then like ours."""
    name = f"sdmerge_plugin_{path.stem}"
    if name in sys.modules and sys.modules[name].__file__ == str(path.resolve()):
        return
    spec = importlib.util.spec_from_file_location(name, path.resolve())
    if spec is None or spec.loader is None or not path.is_file():
        raise FileError("is not a Python file", where=str(path))
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    try:
        spec.loader.exec_module(module)
    except (EngineError, MethodError, ScorerError):
        del sys.modules[name]
        raise
    except Exception as error:
        del sys.modules[name]
        raise FileError(
            f"cannot be loaded: {type(error).__name__}: {error}", where=str(path)
        ) from error
    _announce()


def load_installed() -> None:
    """Import what installed packages announce under `sdmerge.methods` and the other groups."""
    for group in GROUPS:
        for entry in entry_points(group=group):
            entry.load()
    _announce()


def _announce() -> None:
    """Tell the manifests about registered methods and scorers that they do not have."""
    known = manifest()
    known.add(*(method.spec for method in METHODS.values() if method.name not in known))
    announce(scorer.spec for scorer in SCORERS.values())
