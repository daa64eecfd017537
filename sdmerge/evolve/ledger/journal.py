"""The ledger as an Optuna study, which its dashboard and plots open.

Trials come in the order of candidates, whoever finished first, each in one line when it is known
what became of it. They are written from the evaluations, and again if they were lost: so nobody
waits until they are on the disk.
"""

from __future__ import annotations

import contextlib
import datetime
import json
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sdmerge import jsonl
from sdmerge.evolve.genes import Candidate, Gene
from sdmerge.evolve.ledger.database import close_database, lost, name_of, open_database
from sdmerge.evolve.ledger.description import STUDY
from sdmerge.params import Scalar

if TYPE_CHECKING:
    import optuna

NAME = "sdmerge"


@dataclass(frozen=True, slots=True)
class Trial:
    """What Optuna is told of an evaluation. `values` is empty for one that failed.

    pruned: Whether it was given up after a part of the prompts; `values` are of that part.
    below: By how much it missed the floor; 0 and less is no violation.
    """

    role: str
    generation: int
    slot: int
    values: tuple[float, ...]
    candidate: Candidate | None = None
    name: str = ""
    pruned: bool = False
    below: float | None = None
    seconds: float = 0.0


class Journal:
    """An open Optuna study: in `folder`/journal.log, or in the database at `url`, to be closed."""

    def __init__(
        self, folder: Path, genes: Sequence[Gene], objectives: Sequence[str], *, url: str = ""
    ) -> None:
        import optuna
        from optuna.study import StudyDirection

        optuna.logging.set_verbosity(optuna.logging.WARNING)
        self._genes = tuple(genes)
        self._distributions = {gene.name: _distribution(gene) for gene in genes}
        self._url = url
        self._database = open_database(url) if url else None
        self.study = optuna.create_study(
            storage=self._database or _file(folder / "journal.log"),
            study_name=name_of(folder, folder / STUDY) if url else NAME,
            directions=[StudyDirection.MAXIMIZE] * len(objectives),
            load_if_exists=True,
        )
        if not self.study.get_trials(deepcopy=False):
            self.study.set_user_attr("objectives", list(objectives))
        self._known = {
            (trial.user_attrs.get("role"), trial.user_attrs.get("generation"),
             trial.user_attrs.get("slot"))
            for trial in self.study.get_trials(deepcopy=False)
        }  # fmt: skip

    def add(self, trial: Trial) -> None:
        """Add a trial, unless it is there."""
        from optuna.exceptions import StorageInternalError
        from optuna.trial import TrialState, create_trial

        place = (trial.role, trial.generation, trial.slot)
        if place in self._known:
            return
        self._known.add(place)
        state = TrialState.COMPLETE if trial.values else TrialState.FAIL
        if trial.pruned:
            state = TrialState.PRUNED
        candidate = trial.candidate or {}
        params: dict[str, Scalar] = {
            gene.name: candidate[gene.name]
            for gene in self._genes
            if gene.name in candidate and _inside(gene, candidate[gene.name])
        }
        attributes = {"role": trial.role, "generation": trial.generation, "slot": trial.slot}
        found = create_trial(
            state=state,
            values=list(trial.values) or None,
            params=params,
            distributions={name: self._distributions[name] for name in params},
            user_attrs={**attributes, **({"name": trial.name} if trial.name else {})},
            constraints=None if trial.below is None else {"floor": trial.below},
        )
        if found.datetime_complete is not None:
            found.datetime_start = found.datetime_complete - datetime.timedelta(
                seconds=trial.seconds
            )
        try:
            self.study.add_trial(found)
        except StorageInternalError as error:
            raise lost(self._url, error) from error

    def close(self) -> None:
        """Let go of the database."""
        if self._database is not None:
            close_database(self._database)


def _file(path: Path) -> optuna.storages.JournalStorage:
    from optuna.storages import JournalStorage
    from optuna.storages.journal import (
        JournalFileBackend,
        JournalFileOpenLock,
        JournalFileSymlinkLock,
    )

    # The study's own lock is held: what is left of another run's is that of a dead one.
    with contextlib.suppress(FileNotFoundError):
        path.with_name(f"{path.name}.lock").unlink()
    jsonl.append(path)  # half a line of a dead run goes
    lock = (JournalFileOpenLock if os.name == "nt" else JournalFileSymlinkLock)(str(path))

    class Unsynced(JournalFileBackend):
        """Optuna's file, without its wait for the disk after every line."""

        def append_logs(self, logs: list[dict[str, Any]]) -> None:
            lines = "".join(json.dumps(log, separators=(",", ":")) + "\n" for log in logs)
            lock.acquire()
            try:
                with path.open("ab") as file:
                    file.write(lines.encode())
            finally:
                lock.release()

    return JournalStorage(Unsynced(str(path), lock_obj=lock))


def _distribution(gene: Gene) -> optuna.distributions.BaseDistribution:
    from optuna.distributions import CategoricalDistribution, FloatDistribution, IntDistribution

    if gene.kind == "choice":
        return CategoricalDistribution(list(gene.choices))
    if gene.kind == "int":
        return IntDistribution(round(gene.low), round(gene.high), log=gene.log)
    return FloatDistribution(gene.low, gene.high, log=gene.log)


def _inside(gene: Gene, value: Scalar) -> bool:
    """Whether a value is one that the search could have asked: the user's own need not be."""
    if gene.kind == "choice":
        return value in gene.choices
    return not isinstance(value, str) and gene.low <= value <= gene.high
