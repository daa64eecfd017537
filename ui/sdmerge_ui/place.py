"""Place: the workspace as the app sees it: models, jobs, recipes, and nothing outside of them."""

from __future__ import annotations

import functools
import hashlib
import re
import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import quote

from sdmerge_ui.library import (
    SAMPLES,
    Confined,
    Entry,
    Host,
    InputError,
    Inventory,
    Jobs,
    Plan,
    Recipe,
    RecipeError,
    Request,
    SdmergeError,
    Workspace,
    parse_recipe,
    plan,
    recipe_id,
    write,
)

_KEPT, _SHOWN, _OFTEN = 60, 900.0, 30.0
"""Previews that stay, however old; seconds that any stays; seconds from one look to the next."""
_PATIENCE = 0.1
"""Seconds that a list of models may take, before anybody waits for all of them to be read."""
_NAME = re.compile(r"[^\\/:*?\"<>|\x00-\x1f]{1,120}")


@dataclass
class Place:
    """Everything that pages share."""

    workspace: Workspace
    device: str = "cpu"
    allow_pickle: bool = False
    plugins: tuple[Path, ...] = ()
    differences: dict[tuple[str, str], Mapping[str, float]] = field(
        default_factory=dict[tuple[str, str], Mapping[str, float]]
    )
    """What was measured: the differences per block of a model from another."""
    _lock: threading.Lock = field(default_factory=threading.Lock)
    _dropped: float = 0.0

    @functools.cached_property
    def samples(self) -> tuple[Path, ...]:
        """The folders of the samples, where the app runs from a checkout."""
        return tuple(path for path in (SAMPLES / "models", SAMPLES / "loras") if path.is_dir())

    @functools.cached_property
    def shown(self) -> Workspace:
        """The workspace with the samples among its roots."""
        own = self.workspace
        return Workspace(own.folder, (*own.roots, *self.samples), own.targets)

    @functools.cached_property
    def jobs(self) -> Jobs:
        """The jobs of the workspace."""
        return Jobs(self.shown)

    @functools.cached_property
    def inventory(self) -> Inventory:
        """The models of the workspace and of the folders that were named."""
        return Inventory(
            [one.path for one in self.shown.folders], places=self.shown.model_roots,
            near=[self.workspace.folder], pickles=self.allow_pickle,
            patience=_PATIENCE,
        )  # fmt: skip

    @functools.cached_property
    def confined(self) -> Confined:
        """Where models may lie."""
        samples = (SAMPLES,) if self.samples else ()
        folders = [one.path for one in self.shown.folders]
        return Confined((self.workspace.folder, *folders, *samples))

    @property
    def flags(self) -> tuple[str, ...]:
        """What commands that read models are given beside."""
        return ("--allow-pickle",) if self.allow_pickle else ()

    def request(self, *arguments: str) -> Request:
        """A command line of ours, for a job of this workspace."""
        return self.jobs.request(*arguments, device=self.device, plugins=self.plugins)

    def request_with(self, texts: Mapping[Path, str], *arguments: str) -> Request:
        """The same, with the texts of recipe files among the arguments, which need not be there."""
        return self.jobs.request(
            *arguments, device=self.device, plugins=self.plugins, recipes=texts
        )

    @property
    def previews(self) -> Path:
        """Where pictures lie that the page shows."""
        return self.workspace.folder / "previews"

    @property
    def outputs(self) -> tuple[Path, ...]:
        """Folders whose files the page may show."""
        return (self.previews, self.workspace.runs, self.workspace.studies)

    def parse(self, text: str) -> Recipe:
        """The recipe of a draft; an InputError if it is wrong, or leads outside."""
        recipe = parse_recipe(text, "recipe", self.workspace.folder)
        self.confined.check_recipe(recipe)
        return recipe

    def plan(self, text: str) -> Plan:
        """The plan of a draft; headers are read once."""
        return self.plan_of(self.parse(text))

    def plan_of(self, recipe: Recipe) -> Plan:
        """The plan of a recipe; an InputError if it leads outside."""
        self.confined.check_recipe(recipe)
        planned = plan(
            recipe, roots=self.shown.model_roots, allow_pickle=self.allow_pickle,
            cache=self.workspace.hashes, opened=self.inventory.opened,
        )  # fmt: skip
        self.confined.check_files(file for one in planned.inputs for file in one.files)
        return planned

    def entry(self, name: str) -> Entry | None:
        """What a recipe calls `name`; None if it is nowhere, or outside."""
        try:
            self.confined.check(name)
        except InputError:
            return None
        return self.inventory.find(name)

    @property
    def shelves(self) -> Mapping[Path, str]:
        """The folders of hosts, and what they are called."""
        hosts = {
            one.path: " · ".join(filter(None, (host.name, one.kind)))
            for host in self.shown.hosts
            for one in host.folders
        }
        return {**hosts, **dict.fromkeys(self.samples, "samples")}

    def blocks(self, names: Sequence[str]) -> tuple[str, ...]:
        """The block labels of the first known model among these, BASE for the text encoders."""
        for name in names:
            entry = self.entry(name)
            if entry is not None and entry.blocks:
                return ("BASE", *entry.blocks)
        return ()

    def recipe_names(self) -> list[str]:
        """The recipes of the workspace, newest first."""
        folder = self.workspace.recipes
        files = [*folder.glob("*.yaml"), *folder.glob("*.yml")] if folder.is_dir() else []
        return [path.name for path in sorted(files, key=lambda one: -one.stat().st_mtime)]

    def read_recipe(self, name: str) -> str:
        """The text of a recipe of the workspace."""
        path = self.workspace.recipes / checked_name(name)
        if not path.is_file() or not self.confined.allows(path):
            raise InputError(f"there is no recipe '{name}'", hint="Save it first.")
        return path.read_text("utf-8")

    def save_recipe(self, name: str, text: str) -> Path:
        """Write a recipe into the workspace; what is there is not replaced by something else."""
        documents_name = checked_name(name).removesuffix(".yaml") + ".yaml"
        path = self.workspace.recipes / documents_name
        if path.exists() and path.read_text("utf-8") != text:
            raise InputError(
                f"there is a recipe '{path.name}' already", hint="Choose another name."
            )
        write(path, text.encode())
        return path

    def find_recipe(self, known: str) -> str | None:
        """The text of a recipe by its file's name, its id or the number of its run."""
        if known in self.recipe_names():
            return self.read_recipe(known)
        if known.isdigit() and any(job.number == int(known) for job in self.jobs.all()):
            path = self.jobs.get(int(known)).recipe
            return path.read_text("utf-8") if path.is_file() else None
        texts = [self.read_recipe(name) for name in self.recipe_names()]
        runs = (job.recipe for job in reversed(self.jobs.all()))
        for text in [*texts, *(path.read_text("utf-8") for path in runs if path.is_file())]:
            if len(known) >= 6 and _id_of(text).startswith(known):
                return text
        return None

    def keep_lines(self, lines: Sequence[str]) -> Path:
        """A file of these lines, for a command that reads one."""
        text = "".join(f"{line}\n" for line in lines)
        folder = self.workspace.folder / "cache" / "prompts"
        path = folder / f"{hashlib.sha256(text.encode()).hexdigest()[:16]}.txt"
        write(path, text.encode())
        return path

    def keep_picture(self, png: bytes) -> str:
        """Keep a picture for the page; its address. Old ones are dropped, now and then."""
        folder = self.previews
        folder.mkdir(parents=True, exist_ok=True)
        path = folder / f"{hashlib.sha256(png).hexdigest()[:24]}.png"
        with self._lock:
            path.write_bytes(png)
            self._drop_old(folder)
        return address(path)

    def _drop_old(self, folder: Path) -> None:
        """Drop pictures beyond the newest that no page is likely to show any more."""
        now = time.time()
        if now - self._dropped < _OFTEN:
            return
        self._dropped = now
        aged = sorted(((one.stat().st_mtime, one) for one in folder.glob("*.png")), reverse=True)
        for written, old in aged[_KEPT:]:
            if now - written > _SHOWN:
                old.unlink(missing_ok=True)


def brief(path: Path) -> str:
    """The path as one would type it: from the working folder or the home folder, if it is there."""
    for folder, sign in ((Path.cwd(), ""), (Path.home(), "~/")):
        if path != folder and path.is_relative_to(folder):
            return sign + path.relative_to(folder).as_posix()
    return str(path)


def address(path: Path) -> str:
    """Where the page finds a file of the folders that are shown."""
    return f"/gradio_api/file={quote(path.resolve().as_posix())}"


def host_of(place: Place, name: str) -> Host:
    """The host called `name`; an InputError if nothing may be written into it."""
    hosts = {host.name: host for host in place.shown.writable}
    if name not in hosts:
        hint = "Start the app with --save-to and its folder."
        raise InputError(f"nothing is saved to '{name}'", hint=hint)
    return hosts[name]


def checked_name(name: str) -> str:
    """A name that is a file's name and nothing more; an InputError for a path."""
    given = name.strip()
    if not _NAME.fullmatch(given) or given.startswith("."):
        hint = "Give a name without folders, such as anime-photo."
        raise InputError(f"'{name}' is not a name", hint=hint)
    return given


def _id_of(text: str) -> str:
    try:
        return recipe_id(parse_recipe(text, "recipe"))
    except (RecipeError, SdmergeError):
        return ""
