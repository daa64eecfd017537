"""Studio: the one pipeline of a worker, for jobs and previews in turn. It is what loads torch."""

from __future__ import annotations

import gc
import importlib
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
from sdmerge.plan import Plan, plan
from sdmerge.recipe import parse_recipe, recipe_id
from sdmerge.sample.draw import Drawer, Picture, Shot
from sdmerge.sample.inversion import Inversion
from sdmerge.sample.picture import Record, png_bytes
from sdmerge.sample.probe import pipelines
from sdmerge.sample.settings import read_sampling
from sdmerge.sample.sweep.variants import recipe_text
from sdmerge.workspace import Workspace

_DRAWING = (
    ("transformers", "CLIPTextModel"),
    ("transformers", "CLIPTokenizer"),
    ("diffusers", "StableDiffusionPipeline"),
    ("diffusers", "StableDiffusionXLPipeline"),
)
"""What loads nearly all that drawing needs; pipelines bring their networks."""


class Studio:
    """A LiveMerge that stays. A job holds `turns.job()` while it uses `live` and `drawer`."""

    def __init__(self, device: str, turns: Turns) -> None:
        self._device = device
        self._turns = turns
        self._loading = threading.Lock()
        self._set_up()

    def _set_up(self) -> None:
        self.live = LiveMerge(device=self._device, probe=pipelines)
        self._forget()

    def _forget(self) -> None:
        """Let previews start afresh: what draws them would keep a pipeline that is replaced."""
        self._beside = Drawer(self.live, apart=True)

    def warm(self) -> None:
        """Load the libraries that pictures need, once; whoever draws waits for that.

        Two threads may not load them at once: their modules come bit by bit.
        """
        with self._loading:
            for library, name in _DRAWING:
                getattr(importlib.import_module(library), name)

    def drawer(self, inversions: Sequence[Inversion] = ()) -> Drawer:
        """Draws for a job, and lets previews go first at every step."""
        self.warm()
        self._forget()
        return Drawer(self.live, inversions=inversions, pause=self._give_way)

    def preview(self, wish: Wish, workspace: Workspace, cancel: threading.Event) -> Preview:
        """What the wish asks for. Whatever is wrong with it is an error before any work."""
        recipe = parse_recipe(wish.recipe, "recipe", wish.folder, wish.settings)
        sampling = read_sampling(wish.sampling)
        self.warm()
        shots = [Shot(prompt, seed, sampling) for prompt, seed in wish.shots]
        planned = plan(
            recipe, roots=workspace.model_roots, allow_pickle=wish.allow_pickle,
            cache=workspace.hashes, opened=self.live.opened,
        )  # fmt: skip
        with self._turns.first():
            if cancel.is_set():
                raise Cancelled("a newer preview was asked for")
            shown = self.live.show(planned, cancel=cancel)
            began = time.perf_counter()
            drawn = list(self._beside.draw(shots, cancel=cancel))
            seconds = time.perf_counter() - began
            suited = self._beside.suited
        return Preview(
            tuple(_png(picture, planned) for picture in drawn), recipe_id(recipe), shown.tensors,
            shown.seconds, seconds, asdict(drawn[0].sampling) if drawn else {}, suited.why,
        )  # fmt: skip

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


def _png(picture: Picture, planned: Plan) -> bytes:
    shot = picture.shot
    settings: dict[str, Any] = {
        name: value for name, value in asdict(picture.sampling).items() if value not in (None, "")
    }
    text, known = recipe_text(planned.recipe), recipe_id(planned.recipe)
    return png_bytes(picture.image, Record(shot.prompt, shot.seed, text, known, settings))
