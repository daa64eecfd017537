"""Studies: searches of the workspace as jobs: started, paused, gone on with, exported."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from sdmerge_ui import edits
from sdmerge_ui.edits import stage_of, value_at
from sdmerge_ui.evolve.goal import entries
from sdmerge_ui.library import (
    InputError,
    Job,
    Study,
    choice_from,
    documents,
    is_claimed,
    read_description,
    spelled,
    study_in,
    suggest,
    text_of,
)
from sdmerge_ui.place import Place, checked_name

_FILES = ("model", "clip", "tokenizer", "processor")
_SHORT = {"guidance_scale": "guidance", "negative_prompt": "negative", "clip_skip": "clip-skip"}


def folders(place: Place) -> list[Path]:
    """The studies of the workspace, the newest first."""
    folder = place.workspace.studies
    found = [one for one in folder.iterdir() if one.is_dir()] if folder.is_dir() else []
    found = [one for one in found if place.confined.allows(one)]
    return sorted(found, key=lambda one: -one.stat().st_mtime)


def folder_of(place: Place, name: str) -> Path:
    """The folder of a study by its name."""
    path = place.workspace.studies / checked_name(name)
    if not place.confined.allows(path):
        raise InputError(f"'{name}' leads outside of the workspace", hint="Choose another name.")
    return path


def check_paths(place: Place, text: str) -> None:
    """An InputError if the search of a draft would read what lies outside of the workspace."""
    stage = stage_of(text)
    named = [("evolve.prompts", value_at(stage, "evolve.prompts"))]
    named += [("evolve.start", value_at(stage, "evolve.start"))]
    for role in ("fitness", "report", "never_below"):
        named += [(f"evolve.{role}", {key: one[key] for key in _FILES if key in one})
                  for one in entries(text, role)]  # fmt: skip
    for where, value in named:
        for one in _texts(value):
            place.confined.check(one, where)


def start(place: Place, text: str, name: str, added: Sequence[str]) -> Job:
    """The job that searches."""
    folder = folder_of(place, name)
    if folder.exists():
        raise InputError(f"there is a study '{folder.name}' already", hint="Choose another name.")
    place.parse(text)
    check_paths(place, text)
    folder.parent.mkdir(parents=True, exist_ok=True)
    asked = ["evolve", "{run}/recipe.yaml", "-o", str(folder), *_added(place, added), *place.flags]
    return place.jobs.submit(place.request(*asked), title=folder.name, recipe=text)


def job_of(place: Place, folder: Path) -> Job | None:
    """The last job that searched in a folder; None if none of this workspace did."""
    for job in reversed(place.jobs.all()):
        if job.kind == "evolve" and str(folder) in place.jobs.asked(job.number).arguments:
            return job
    return None


def state_of(folder: Path, job: Job | None) -> str:
    """The state of the job that searches; `elsewhere` while a command outside of the app does."""
    if (job is None or job.over) and is_claimed(folder):
        return "elsewhere"
    return job.state if job is not None else ""


def pause(place: Place, folder: Path) -> None:
    """Ask the search to stop; what is evaluated stays."""
    job = job_of(place, folder)
    if job is not None:
        place.jobs.cancel(job.number)


def go_on(place: Place, folder: Path, trials: int | None) -> Job:
    """Go on with a search: the job that was stopped, or a new one up to so many trials in all."""
    job = job_of(place, folder)
    if job is not None and not job.over:
        raise InputError(f"run {job.number} is at it already", hint="Pause it first.")
    if trials is None and job is not None and job.state != "done":
        return place.jobs.retry(job.number)
    description = read_description(folder)
    base = Path(description.folder) if description.folder else place.workspace.folder
    # the texts count, the files need not be there: relative paths start at their folder
    recipe = base / f"{folder.name}.yaml"
    texts = {recipe: description.recipe}
    words = ["evolve", str(recipe), "-o", str(folder), "--resume", *place.flags]
    for name, text in (description.fixed.get("added") or {}).items():
        texts[base / f"{name}.yaml"] = text
        words += ["--add", str(base / f"{name}.yaml")]
    if trials is not None:
        words += ["--trials", str(trials)]
    return place.jobs.submit(place.request_with(texts, *words), title=folder.name)


def add(place: Place, folder: Path, text: str) -> str:
    """Have a draft judged beside the next candidates of a study; what it is called there."""
    recipe = place.parse(without_search(text))
    return suggest(folder, opened(place, folder), "draft", recipe, place.plan_of).name


def export(place: Place, folder: Path, *, model: bool, test: bool) -> Job:
    """The job that writes the winner with its report, into its own folder."""
    words = ["study", "export", str(folder), "-o", "{run}/export", *place.flags]
    words += [] if model else ["--no-model"]
    words += [] if test else ["--no-test"]
    return place.jobs.submit(place.request(*words), title=f"export {folder.name}")


def exported(place: Place, folder: Path) -> Job | None:
    """The last export of a study that is done or under way."""
    for job in reversed(place.jobs.all()):
        if job.kind == "study" and str(folder) in place.jobs.asked(job.number).arguments:
            return job
    return None


def sanity(place: Place, text: str) -> Job:
    """The job that asks whether the scorers of a draft tell pictures from noise."""
    place.parse(text)
    check_paths(place, text)
    stage = stage_of(text)
    prompts = value_at(stage, "evolve.prompts.search")
    chosen = [spelled(choice_from({key: value for key, value in one.items() if key != "weight"}))
              for one in entries(text, "fitness")]  # fmt: skip
    if not prompts or not chosen:
        raise InputError("there is nothing to check", hint="Choose prompts and a scorer first.")
    words = ["score", "{run}/recipe.yaml", "--prompts", str(prompts), "--sanity", *place.flags]
    for one in chosen:
        words += ["--with", one]
    words += _sampling(value_at(stage, "evolve.sampler"))
    plain = edits.put(text, "evolve", None)
    return place.jobs.submit(place.request(*words), title="sanity", recipe=plain)


def _sampling(given: Any) -> list[str]:
    found = {key: one for key, one in (given or {}).items() if not isinstance(one, dict)}
    words = [f"--seeds={found.pop('images_per_prompt')}"] if "images_per_prompt" in found else []
    width, height = found.pop("width", None), found.pop("height", None)
    words += [f"--size={width}x{height}"] if width and height else []
    return words + [f"--{_SHORT.get(name, name)}={value}" for name, value in found.items()]


def _added(place: Place, names: Sequence[str]) -> list[str]:
    for name in names:
        place.read_recipe(name)  # is there, and inside
    return [word for name in names for word in ("--add", str(place.workspace.recipes / name))]


def _texts(value: Any) -> list[str]:
    match value:
        case str():
            return [value] if value else []
        case dict():
            return [text for one in value.values() for text in _texts(one)]
        case list():
            return [text for one in value for text in _texts(one)]
        case _:
            return []


def opened(place: Place, folder: Path) -> Study:
    """The study in a folder."""
    return study_in(folder, place.plan_of)


def without_search(text: str) -> str:
    """A recipe without what belongs to its search and its grids."""
    return text_of([
        {key: one for key, one in stage.items() if key not in ("evolve", "grid")}
        for stage in documents(text)
    ])  # fmt: skip


def wanted(place: Place, job: Job | None) -> int:
    """How many candidates a job searches for at most; 0 if that is not known."""
    if job is None:
        return 0
    words = place.jobs.asked(job.number).arguments
    if "--trials" in words:
        return int(words[words.index("--trials") + 1])
    if not job.recipe.is_file():
        return 0
    return int(value_at(stage_of(job.recipe.read_text("utf-8")), "evolve.trials") or 0)
