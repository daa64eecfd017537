"""The folder of a study: made, claimed by one run, read and added to."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any, TypeVar

from sdmerge import jsonl
from sdmerge.claim import claim, is_held
from sdmerge.errors import FileError, InputError
from sdmerge.evolve.exam import Exam
from sdmerge.evolve.ledger import state as states
from sdmerge.evolve.ledger.description import STUDY, Description, read
from sdmerge.evolve.ledger.rows import Book, Generation, Key, Row, checked
from sdmerge.evolve.ledger.state import State
from sdmerge.written import write

EVALUATIONS, EXAMS = "evaluations.jsonl", "exams.jsonl"
GENERATIONS, STATE, PICTURES, LOCK = "generations.jsonl", "state.bin", "pictures", "lock"

T = TypeVar("T")


def claimed(folder: Path) -> AbstractContextManager[None]:
    """The folder for this run alone; a second run is refused."""
    hint = "Wait for it, stop it, or search into another folder."
    return claim(folder, LOCK, taken="another run works on this study", hint=hint)


def is_claimed(folder: Path) -> bool:
    """Whether a run works on the study at the moment."""
    return is_held(folder, LOCK)


def read_description(folder: Path) -> Description:
    """What the study in `folder` is; a FileError if there is none."""
    path = folder / STUDY
    if not path.is_file():
        hint = "Name a folder that `sdmerge evolve` wrote."
        raise FileError(f"is no study: it holds no {STUDY}", where=str(folder), hint=hint)
    return read(path)


def create(folder: Path, description: Description, *, resume: bool) -> None:
    """Write study.yaml into a folder that is claimed, or check that it says the same.

    A folder that holds something else, a study that was not meant to be continued, and one that
    differs are InputErrors; nothing is changed.
    """
    path = folder / STUDY
    if not path.is_file():
        strange = [item.name for item in folder.iterdir() if item.name != LOCK]
        if strange:
            hint = "Choose another name; studies have folders of their own."
            raise InputError(f"holds other things, {strange[0]}", where=str(folder), hint=hint)
        write(path, description.text().encode(), sync=True)
        return
    if not resume:
        hint = "Pass --resume to continue it, or choose another folder."
        raise InputError("holds a study", where=str(folder), hint=hint)
    if changes := read_description(folder).changes(description):
        hint = "Its scores would not be comparable: choose another folder, or take it back."
        what = "the study there is another one: " + "; ".join(changes)
        raise InputError(what, where=str(folder), hint=hint)


def refuse_changed(folder: Path, files: Mapping[str, str]) -> None:
    """Nothing if `files`, the hashes of models by name, are those that the study began with."""
    if changed := read_description(folder).changed_files(files):
        hint = "Its scores are those of other files: bring these back, or search anew."
        raise InputError("; ".join(changed), where=str(folder), hint=hint)


class Ledger:
    """What is known of the study in `folder`, and what is added to it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._book = Book()
        self._read = {EVALUATIONS: jsonl.Read(), GENERATIONS: jsonl.Read()}
        self.refresh()
        self._exams = {str(entry.get("id")) for _, entry in jsonl.read(folder / EXAMS)}

    @property
    def rows(self) -> Mapping[Key, Row]:
        """Every evaluation by its place, in the order in which they were done."""
        return self._book.rows

    @property
    def generations(self) -> Mapping[int, Generation]:
        """The generations that came to an end, or were cut."""
        return self._book.generations

    def refresh(self) -> bool:
        """Read what another process has added since; whether there was anything."""
        rows = self._new(EVALUATIONS, Row.from_data)
        self._book.rows.update({row.key: row for row in rows})
        generations = self._new(GENERATIONS, Generation.from_data)
        self._book.generations.update({one.number: one for one in generations})
        return bool(rows or generations)

    def record(self, *rows: Row) -> None:
        """Add evaluations; they are on the disk when this returns."""
        jsonl.append(self.folder / EVALUATIONS, *(row.to_data() for row in rows))
        self._book.rows.update({row.key: row for row in rows})

    def announce(self, exam: Exam, purpose: str, generation: int) -> str:
        """The id of an exam that rows will name; its prompts and seeds are kept, once."""
        name = exam.id
        if name not in self._exams:
            prompts = [line.prompt for line in exam.lines]
            seeds = [list(own) for own in exam.seeds]
            entry = {"id": name, "purpose": purpose, "generation": generation}
            jsonl.append(self.folder / EXAMS, {**entry, "prompts": prompts, "seeds": seeds})
            self._exams.add(name)
        return name

    def close(self, generation: Generation) -> None:
        """Say what a generation came to, unless that has been said."""
        if self._book.generations.get(generation.number) != generation:
            jsonl.append(self.folder / GENERATIONS, generation.to_data())
            self._book.generations[generation.number] = generation

    def state(self) -> State | None:
        """Where the search stands; None before its first generation."""
        return states.load(self.folder / STATE)

    def save_state(self, state: State) -> None:
        """Replace the state, at once."""
        states.save(self.folder / STATE, state)

    def pictures(self, generation: int) -> Path:
        """The folder of the pictures of a generation's incumbent."""
        return self.folder / PICTURES / f"{generation:04d}"

    def _new(self, name: str, read: Callable[[Mapping[str, Any]], T]) -> list[T]:
        path = self.folder / name
        entries, self._read[name] = jsonl.read_on(path, self._read[name])
        return [checked(read, entry, f"{path}:{number}") for number, entry in entries]
