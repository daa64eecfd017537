"""What `evolve` and `study` share: a study made of a recipe or of its folder, in this session."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sdmerge.cli.main import Session
from sdmerge.cli.recipes import plan_of
from sdmerge.recipe import Recipe


def made(session: Session, recipe: Recipe, own: Mapping[str, Recipe], *, allow_pickle: bool) -> Any:
    """The study of a recipe."""
    from sdmerge.evolve.opening import study_from

    return study_from(recipe, Planner(session, allow_pickle=allow_pickle), own)


def reopened(session: Session, folder: Path, *, allow_pickle: bool) -> Any:
    """The study in a folder."""
    from sdmerge.evolve.opening import study_in

    return study_in(folder, Planner(session, allow_pickle=allow_pickle))


def evaluator_spec(
    session: Session, study: Any, options: Mapping[str, Any], *, memory: int | None = None
) -> Any:
    """What evaluates for a study in this session; `memory` are the bytes of models it may keep."""
    from sdmerge.evolve.evaluate import EvaluatorSpec

    return EvaluatorSpec(
        scorers=study.scorers,
        roots=session.workspace.model_roots,
        cache=session.workspace.hashes,
        device=session.device,
        batch=study.settings.numbers.batch,
        memory=memory,
        allow_pickle=options["allow_pickle"],
        trust_remote_code=options["trust_remote_code"],
    )


class Planner:
    """Plans recipes in a session's workspace, opening every model once."""

    def __init__(self, session: Session, *, allow_pickle: bool) -> None:
        from sdmerge.adapters.opened import OpenedModels

        self._session, self._allow = session, allow_pickle
        self._opened = OpenedModels()

    def __call__(self, recipe: Recipe) -> Any:
        """The plan of a recipe."""
        return plan_of(self._session, recipe, allow_pickle=self._allow, opened=self._opened)


@dataclass(frozen=True, slots=True)
class Opening:
    """An evaluator to be opened, here or in a worker: plug-ins first, then models."""

    spec: Any
    plugins: tuple[Path, ...] = ()

    def open(self) -> Any:
        """The evaluator."""
        from sdmerge.plugins import load_installed, load_plugin

        load_installed()
        for path in self.plugins:
            load_plugin(path)
        return self.spec.open()
