"""Watch: what a study looks like now, for the element `study`."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from sdmerge_ui.evolve import studies
from sdmerge_ui.library import (
    STUDY,
    Following,
    SdmergeError,
    Seen,
    importances,
    positions,
    to_yaml,
)
from sdmerge_ui.place import Place, address
from sdmerge_ui.texts import Words

ENOUGH = 40
"""Candidates below which importance is not shown."""
_AXES = 12
_LINES = 60
_KEPT = 8
_STRIP = 24
Data = dict[str, Any]


@dataclass
class Watch:
    """The studies that somebody looks at, each read once for all of them."""

    place: Place
    _open: dict[Path, Following] = field(default_factory=dict[Path, Following])
    _shares: dict[Path, tuple[int, dict[str, float]]] = field(
        default_factory=dict[Path, tuple[int, dict[str, float]]]
    )
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def stamp(self, name: str) -> tuple[Any, ...]:
        """What changes whenever there is something new to show."""
        folders = tuple(one.name for one in studies.folders(self.place))
        if not name:
            return (folders,)
        folder = studies.folder_of(self.place, name)
        job, out = studies.job_of(self.place, folder), studies.exported(self.place, folder)
        seen = self._seen(folder)
        return (folders, name, seen.version if seen else 0, studies.state_of(folder, job),
                out and (out.number, out.state))  # fmt: skip

    def shown(self, words: Words, name: str) -> Data:
        """For the element `study`."""
        every = [one.name for one in studies.folders(self.place)]
        data: Data = {"studies": every, "name": name}
        if not name:
            return data
        folder = studies.folder_of(self.place, name)
        job = studies.job_of(self.place, folder)
        data |= {"state": studies.state_of(folder, job), "job": job.number if job else 0,
                 "error": str(job.error) if job and job.error else ""}  # fmt: skip
        try:
            seen = self._seen(folder)
        except SdmergeError as error:
            return {**data, "error": str(error)}
        if seen is None:
            return data
        with self._lock:
            return {**data, **self._data(words, folder, seen)}

    def winner(self, name: str) -> str | None:
        """The recipe of the best so far; None before there is one."""
        folder = studies.folder_of(self.place, name)
        seen = self._seen(folder)
        if seen is None or seen.best is None:
            return None
        filled = self._open[folder].study.space.fill(seen.best)
        return studies.without_search(to_yaml(filled))

    def _seen(self, folder: Path) -> Seen | None:
        """The study now; None as long as it has not begun."""
        if not (folder / STUDY).is_file():
            return None
        with self._lock:
            if folder not in self._open:
                self._open[folder] = Following(folder, studies.opened(self.place, folder))
            return self._open[folder].look()

    def _data(self, words: Words, folder: Path, seen: Seen) -> Data:
        following, history = self._open[folder], seen.history
        study = following.study
        out = studies.exported(self.place, folder)
        report = out.run / "export" / "report.html" if out else None
        searched = [trial for trial in history.searched if trial.objectives]
        return {
            "engine": study.engine.title,
            "objective": history.objectives[0],
            "trials": len(history.searched) + len(seen.asked),
            "of": studies.wanted(self.place, studies.job_of(self.place, folder)),
            "generations": seen.generations,
            "failed": len(history.searched) - len(searched),
            "alarms": [words("study.alarm_at", generation=one.generation, what=one.words)
                       for one in history.alarms[-3:]],
            "curve": _curve(seen),
            "best": _best(seen),
            "pictures": _pictures(words, following.pictures()),
            "gallery": _gallery(words, following.pictures(), seen),
            "waiting": list(seen.waiting),
            "importance": self._importance(folder, seen),
            "enough": ENOUGH,
            "parallel": _parallel(seen, self._order(folder)),
            "export": None if out is None else {
                "state": out.state, "number": out.number,
                "error": str(out.error) if out.error else "",
                "report": address(report) if report and report.is_file() else "",
            },
        }  # fmt: skip

    def _importance(self, folder: Path, seen: Seen) -> list[tuple[str, float]]:
        count = len(seen.history.searched)
        if count < ENOUGH:
            return []
        if self._shares.get(folder, (0, {}))[0] != count:
            self._shares[folder] = (count, importances(seen.history))
        return list(self._shares[folder][1].items())[:_AXES]

    def _order(self, folder: Path) -> Sequence[str]:
        return list(self._shares.get(folder, (0, {}))[1])


def _curve(seen: Seen) -> Data:
    """Scores over candidates; what parents got as levels; validation apart."""
    history = seen.history
    sign = -1 if history.judge in history.lower else 1
    lines = [
        {"name": one.name, "kind": one.kind, "score": one.objectives[0]}
        for one in history.baselines
        if one.objectives and one.kind != "sweep"
    ]
    sweep = [one for one in history.baselines if one.kind == "sweep" and one.objectives]
    if sweep:
        top = max(sweep, key=lambda one: one.objectives[0])
        lines.append({"name": top.name, "kind": "sweep", "score": top.objectives[0]})
    ends = {one.generation: one.number for one in history.incumbents}
    validation = [
        {"at": ends.get(one.generation, 0), "kind": one.kind,
         "score": sign * sum(one.scores[history.judge]) / len(one.scores[history.judge])}
        for one in history.validations
        if one.kind in ("incumbent", "centre") and history.judge in one.scores
    ]  # fmt: skip
    tried = [trial for trial in (*history.searched, *seen.asked) if trial.objectives]
    return {
        "points": [(trial.number, trial.objectives[0]) for trial in tried],
        "best": [(trial.number, trial.objectives[0]) for trial in history.incumbents],
        "added": [
            {"at": one.number, "score": one.objectives[0], "name": one.name}
            for one in history.trials
            if one.kind == "added" and one.generation >= 0 and one.objectives
        ],
        "lines": lines,
        "validation": validation,
    }


def _best(seen: Seen) -> Data | None:
    if seen.best is None:
        return None
    last = seen.history.incumbents[-1:] or ()
    return {"why": seen.why, "genes": list(seen.best.items()),
            "score": last[0].objectives[0] if last else None}  # fmt: skip


def _pictures(words: Words, kept: Sequence[tuple[int, Path]]) -> list[Data]:
    """The incumbent's pictures at the last validation that kept some."""
    for generation, folder in reversed(kept):
        if files := _files(folder):
            alt = words("study.picture", generation=generation)
            return [{"source": address(path), "alt": alt} for path in files[:_KEPT]]
    return []


def _gallery(words: Words, kept: Sequence[tuple[int, Path]], seen: Seen) -> list[Data]:
    """A picture of the best of each generation that was validated, the last ones first."""
    scores = {one.generation: one.objectives[0] for one in seen.history.incumbents}
    return [
        {"source": address(files[0]), "alt": words("study.picture", generation=generation),
         "generation": generation, "score": scores.get(generation)}
        for generation, folder in reversed(kept[-_STRIP:])
        if (files := _files(folder))
    ]  # fmt: skip


def _files(folder: Path) -> list[Path]:
    return [path for path in sorted(folder.rglob("*")) if path.suffix in (".png", ".webp")]


def _parallel(seen: Seen, order: Sequence[str]) -> Data:
    """Candidates as lines over their genes, the best ones first."""
    history = seen.history
    first = {name: place for place, name in enumerate(order)}
    genes = sorted(history.genes, key=lambda one: first.get(one.name, len(first)))[:_AXES]
    found = [trial for trial in (*history.searched, *seen.asked) if trial.objectives]
    found.sort(key=lambda trial: -trial.objectives[0])
    return {
        "genes": [
            {"name": one.name, "low": one.low if one.kind != "choice" else str(one.choices[0]),
             "high": one.high if one.kind != "choice" else str(one.choices[-1])}
            for one in genes
        ],
        "lines": [
            {"places": positions(genes, trial.candidate), "score": trial.objectives[0],
             "number": trial.number}
            for trial in found[:_LINES]
        ],
        "count": len(found),
    }  # fmt: skip
