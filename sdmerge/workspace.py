"""Workspace: where models, recipes, runs and caches lie."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

import platformdirs

VARIABLE = "SDMERGE_WORKSPACE"


@dataclass(frozen=True, slots=True)
class Workspace:
    """A folder of ours, and the model folders of others that are only read (`roots`)."""

    folder: Path
    roots: tuple[Path, ...] = ()

    @property
    def models(self) -> Path:
        """Where merged models go and are found."""
        return self.folder / "models"

    @property
    def recipes(self) -> Path:
        """Where recipes go and are found."""
        return self.folder / "recipes"

    @property
    def runs(self) -> Path:
        """Where every job has its folder."""
        return self.folder / "runs"

    @property
    def studies(self) -> Path:
        """Where the app puts searches."""
        return self.folder / "studies"

    @property
    def prompts(self) -> Path:
        """Where the app puts and finds files of prompts."""
        return self.folder / "prompts"

    @property
    def scorers(self) -> Path:
        """Where the app finds the models of scorers."""
        return self.folder / "scorers"

    @property
    def model_roots(self) -> tuple[Path, ...]:
        """Where a recipe's paths are looked for, after its own folder and the working one."""
        return (self.models, *self.roots)

    @property
    def hashes(self) -> Path:
        """The file that remembers the hashes of model files."""
        return self.folder / "cache" / "sha256.json"


def find_workspace(folder: Path | None = None, roots: tuple[Path, ...] = ()) -> Workspace:
    """The workspace at `folder`, else at $SDMERGE_WORKSPACE, else in the user's data folder."""
    named = folder or (Path(found) if (found := os.environ.get(VARIABLE)) else None)
    return Workspace((named or Path(platformdirs.user_data_dir("sdmerge"))).expanduser(), roots)
