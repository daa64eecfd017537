"""Loader: finds the models that scorers ask, on disk first, and keeps them loaded."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from torch import Tensor

from sdmerge.adapters.hub import PICKLES, file_from_hub, from_hub
from sdmerge.errors import FileError
from sdmerge.params import Scalar
from sdmerge.tensors.store import open_store

_REPO = re.compile(r"[\w.-]+/[\w.-]+")


@dataclass(frozen=True)
class Loader:
    """Where models are found and how they are run.

    `trust_remote_code` lets a model bring its own Python code, `allow_pickle` lets weights be read
    from pickles (restricted). Both are the user's to allow: no recipe can.
    """

    device: str = "cpu"
    roots: tuple[Path, ...] = ()
    trust_remote_code: bool = False
    allow_pickle: bool = False
    _kept: dict[object, Any] = field(default_factory=dict[object, Any], repr=False)

    def once(self, load: Callable[..., Any], values: Mapping[str, Scalar]) -> Any:
        """What `load` gives for these values, loaded at the first call."""
        key = (load, tuple(sorted(values.items())))
        if key not in self._kept:
            self._kept[key] = load(self, **values)
        return self._kept[key]

    def find(self, model: str, near: Path | None = None) -> Path:
        """The folder or file that `model` names: a path, or OWNER/NAME[/FILE] of the hub."""
        given = Path(model).expanduser()
        places = [place for place in (near, Path.cwd(), *self.roots) if place is not None]
        for path in [given] if given.is_absolute() else [place / given for place in places]:
            if path.exists():
                return path.resolve()
        more = (".py", *(PICKLES if self.allow_pickle else ()))
        if (found := _from_hub(model, more)) is not None:
            return found
        looked = ", ".join(str(place) for place in places)
        hint = f"Looked in: {looked}, and for that name on the hub."
        raise FileError(f"there is no scorer model '{model}'", hint=hint)

    def weights(self, path: Path) -> dict[str, Tensor]:
        """Every tensor of a weights file, as stored; a pickle only if the user allows it."""
        store = open_store(path, allow_pickle=self.allow_pickle)
        try:
            return {
                name: store.read(name).reshape(spec.shape) for name, spec in store.specs.items()
            }
        finally:
            store.close()

    def check_weights(self, folder: Path) -> None:
        """Refuse a folder whose weights are pickles only, unless the user allows these."""
        files = [path for path in folder.iterdir() if path.is_file()]
        if any(path.suffix == ".safetensors" for path in files) or self.allow_pickle:
            return
        pickles = [path.name for path in files if path.suffix in PICKLES]
        if pickles:
            hint = "Pass --allow-pickle to read them with a restricted loader."
            what = f"{pickles[0]} is a pickle, which can run code"
            raise FileError(what, where=str(folder), hint=hint)


def read_json(path: Path) -> dict[str, Any]:
    """A model's JSON file."""
    try:
        found = json.loads(path.read_text("utf-8"))
    except (OSError, ValueError) as error:
        raise FileError(f"cannot be read: {error}", where=str(path)) from error
    if not isinstance(found, dict):
        raise FileError("is no JSON object", where=str(path))
    return found  # pyright: ignore[reportUnknownVariableType]


def weights_file(folder: Path, *stems: str) -> Path:
    """The weights in `folder`: a .safetensors of one of these stems, else a pickle."""
    for suffix in (".safetensors", *PICKLES):
        for stem in stems:
            if (path := folder / f"{stem}{suffix}").is_file():
                return path
    names = ", ".join(f"{stem}.safetensors" for stem in stems)
    raise FileError(f"holds no weights ({names})", where=str(folder))


def _from_hub(model: str, more: tuple[str, ...]) -> Path | None:
    owner, _, rest = model.partition("/")
    name, _, file = rest.partition("/")
    if not _REPO.fullmatch(f"{owner}/{name}"):
        return None
    return file_from_hub(f"{owner}/{name}", file) if file else from_hub(model, more)
