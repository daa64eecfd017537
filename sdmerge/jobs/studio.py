"""Studio: the one pipeline of a worker, for jobs and previews in turn. It is what loads torch."""

from __future__ import annotations

import gc
import threading
import time
from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

import torch

from sdmerge.errors import Cancelled
from sdmerge.jobs.preview import Preview, Wish
from sdmerge.jobs.turns import Turns
from sdmerge.live import LiveMerge
from sdmerge.live.memory import free_share
from sdmerge.live.pipeline import load_libraries
from sdmerge.plan import Plan, plan
from sdmerge.recipe import parse_recipe, recipe_id
from sdmerge.sample.draw import Drawer, Picture, Shot
from sdmerge.sample.inversion import Inversion
from sdmerge.sample.picture import Record, png_bytes
from sdmerge.sample.probe import pipelines
from sdmerge.sample.settings import read_sampling
from sdmerge.sample.sweep.variants import recipe_text
from sdmerge.workspace import Workspace

_ROOM = 0.25
"""Share of the free memory that a pipeline may take which nobody has asked for yet."""
_WIDEST = 4
"""Bytes per number, at most."""


class Studio:
    """A LiveMerge that stays. A job holds `turns.job()` while it uses `live` and `drawer`.

    Who has the device's turn is also the only one that loads libraries.
    """

    def __init__(self, device: str, turns: Turns) -> None:
        self._device = device
        self._turns = turns
        self._set_up()

    def _set_up(self) -> None:
        self.live = LiveMerge(device=self._device, probe=pipelines)
        self._forget()

    def _forget(self) -> None:
        """Let previews start afresh: what draws them would keep a pipeline that is replaced."""
        self._beside = Drawer(self.live, apart=True)

    def warm(self, wish: Wish | None, workspace: Workspace) -> None:
        """Load the libraries that pictures need, and draw a wish that somebody will likely have."""
        planned = None if wish is None else self._planned(wish, workspace)
        with self._turns.first():
            load_libraries()
            if wish is None or planned is None or self.live.plan is not None:
                return
            if sum(task.spec.numel for task in planned.tasks) * _WIDEST > free_share(_ROOM):
                return
            self.live.show(planned)
            list(self._beside.draw(_shots(wish)))

    def drawer(self, inversions: Sequence[Inversion] = ()) -> Drawer:
        """Draws for a job, and lets previews go first at every step."""
        self._forget()
        return Drawer(self.live, inversions=inversions, pause=self._give_way)

    def preview(self, wish: Wish, workspace: Workspace, cancel: threading.Event) -> Preview:
        """What the wish asks for. Whatever is wrong with it is an error before any work."""
        shots, planned = _shots(wish), self._planned(wish, workspace)
        with self._turns.first():
            if cancel.is_set():
                raise Cancelled("a newer preview was asked for")
            shown = self.live.show(planned, cancel=cancel)
            began = time.perf_counter()
            drawn = list(self._beside.draw(shots, cancel=cancel))
            seconds = time.perf_counter() - began
            suited = self._beside.suited
        return Preview(
            tuple(_png(picture, planned) for picture in drawn), recipe_id(planned.recipe),
            shown.tensors, shown.seconds, seconds, asdict(drawn[0].sampling) if drawn else {},
            suited.why,
        )  # fmt: skip

    def gpu(self) -> tuple[int, int] | None:
        """Bytes in use, by whomever, and in all on the GPU; None without one."""
        if torch.device(self._device).type != "cuda" or not torch.cuda.is_initialized():
            return None
        free, total = torch.cuda.mem_get_info(self._device)
        return total - free, total

    def free(self) -> None:
        """Give all memory back, that of the device too."""
        with self._turns.first():
            self.live.close()
            self._set_up()
            gc.collect()
            if torch.cuda.is_available():
                torch.cuda.empty_cache()

    def _give_way(self) -> None:
        if not self._turns.wanted:
            return
        mine = self.live.plan
        self._turns.give_way()
        if mine is None or self.live.plan is mine:
            return
        if self.live.show(mine).rebuilt:
            self._forget()

    def _planned(self, wish: Wish, workspace: Workspace) -> Plan:
        return plan(
            parse_recipe(wish.recipe, "recipe", wish.folder, wish.settings),
            roots=workspace.model_roots, allow_pickle=wish.allow_pickle,
            cache=workspace.hashes, opened=self.live.opened,
        )  # fmt: skip


def _shots(wish: Wish) -> list[Shot]:
    sampling = read_sampling(wish.sampling)
    return [Shot(prompt, seed, sampling) for prompt, seed in wish.shots]


def _png(picture: Picture, planned: Plan) -> bytes:
    shot = picture.shot
    settings: dict[str, Any] = {
        name: value for name, value in asdict(picture.sampling).items() if value not in (None, "")
    }
    text, known = recipe_text(planned.recipe), recipe_id(planned.recipe)
    return png_bytes(picture.image, Record(shot.prompt, shot.seed, text, known, settings))
