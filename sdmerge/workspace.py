"""Workspace: where models, recipes, runs and caches lie."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

import platformdirs

from sdmerge.hosts import Host, ModelFolder, read_hosts

VARIABLE = "SDMERGE_WORKSPACE"

SAMPLES = Path(__file__).resolve().parents[1] / "samples"
"""The sample models and what belongs to them, where sdmerge runs from a clone."""


@dataclass(frozen=True, slots=True)
class Workspace:
    """A folder of ours, and the model folders of others.

    roots: Folders, trees of other tools, or lists of them (see hosts.py), which are only read.
    targets: Those of them that results may be written into.
    """

    folder: Path
    roots: tuple[Path, ...] = ()
    targets: tuple[Path, ...] = ()

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
    def hosts(self) -> tuple[Host, ...]:
        """What `roots` name; an InputError for what is not there."""
        return read_hosts(self.roots)

    @property
    def writable(self) -> tuple[Host, ...]:
        """The hosts whose folders take results."""
        return tuple(host for host in self.hosts if host.given in self.targets)

    @property
    def folders(self) -> tuple[ModelFolder, ...]:
        """Every folder that models are read from, the workspace's own first."""
        return (ModelFolder(self.models), *(one for host in self.hosts for one in host.folders))

    @property
    def model_roots(self) -> tuple[Path, ...]:
        """Where a recipe's paths are looked for, after its own folder and the working one.

        First the folders of models, then the tops of hosts: where two folders have a file of one
        name, `models/Lora/name.safetensors` tells them apart.
        """
        tops = (host.top for host in self.hosts)
        return tuple(dict.fromkeys([*(one.path for one in self.folders), *tops]))

    @property
    def hashes(self) -> Path:
        """The file that remembers the hashes of model files."""
        return self.folder / "cache" / "sha256.json"


def find_workspace(
    folder: Path | None = None, roots: tuple[Path, ...] = (), targets: tuple[Path, ...] = ()
) -> Workspace:
    """The workspace at `folder`, else at $SDMERGE_WORKSPACE, else in the user's data folder.

    What may be written into is read, too.
    """
    named = folder or (Path(found) if (found := os.environ.get(VARIABLE)) else None)
    place = (named or Path(platformdirs.user_data_dir("sdmerge"))).expanduser()
    saved = tuple(path.expanduser() for path in targets)
    read = [*(path.expanduser() for path in roots), *saved]
    return Workspace(place, tuple(dict.fromkeys(read)), saved)
