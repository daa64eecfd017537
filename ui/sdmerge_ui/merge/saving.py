"""Saving: a draft becomes a model by a job, or a recipe in the workspace; and the way back."""

from __future__ import annotations

import tempfile
from pathlib import Path

from sdmerge_ui.library import (
    InputError,
    Job,
    Plan,
    kinds_of,
    place_in,
    read_origin,
    read_record,
    to_yaml,
)
from sdmerge_ui.place import Place, checked_name, host_of

_SUFFIX = ".safetensors"
_RUN, _MODEL = "run ", "model "


def save_model(place: Place, text: str, name: str, where: str = "") -> Job:
    """The job that writes the model; an InputError before it, if there is one of that name."""
    return begin(place, text, target_of(place, place.plan(text), name, where))


def begin(place: Place, text: str, target: Path) -> Job:
    """The job that merges a recipe into a file or folder."""
    target.parent.mkdir(parents=True, exist_ok=True)
    asked = ["merge", "{run}/recipe.yaml", "-o", str(target), *place.flags]
    return place.jobs.submit(place.request(*asked), title=target.name, recipe=text)


def target_of(place: Place, planned: Plan, name: str, where: str = "") -> Path:
    """Where a result called `name` goes: among the workspace's models, or into the host `where`."""
    bare = checked_name(name).removesuffix(_SUFFIX)
    layout = planned.recipe.output.layout
    is_folder = layout == "diffusers"
    file = bare if is_folder else f"{bare}{_SUFFIX}"
    keys = (task.key for task in planned.tasks)
    target = (
        place_in(host_of(place, where), file, *kinds_of(layout, keys, folder=is_folder))
        if where else place.workspace.models / file
    )  # fmt: skip
    if target.exists():
        raise InputError(f"there is a model '{target.name}' already", hint="Choose another name.")
    return target


def sources(place: Place) -> list[str]:
    """What a recipe can be loaded from: those of the workspace, the last runs, merged models."""
    runs = [job for job in reversed(place.jobs.all()) if job.recipe.is_file()][:20]
    made = [entry.name for entry in place.inventory.entries() if entry.origin]
    return [
        *place.recipe_names(),
        *(f"{_RUN}{job.number}: {job.kind} {job.title}" for job in runs),
        *(f"{_MODEL}{name}" for name in made),
    ]


def load(place: Place, source: str) -> str:
    """The text of what `sources` lists."""
    if source.startswith(_RUN):
        found = place.find_recipe(source.removeprefix(_RUN).partition(":")[0])
    elif source.startswith(_MODEL):
        entry = place.entry(source.removeprefix(_MODEL))
        found = to_yaml(read_origin(entry.path).recipe) if entry is not None else None
    else:
        found = place.find_recipe(source)
    if found is None:
        raise InputError(f"there is no recipe '{source}'", hint="Choose one of the list.")
    return found


def from_picture(data: bytes) -> str:
    """The recipe that a picture of ours says it was drawn by."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "picture.png"
        path.write_bytes(data)
        record = read_record(path)
    if not record.recipe:
        raise InputError("the picture was not drawn by a recipe", hint="It came from one model.")
    return record.recipe
