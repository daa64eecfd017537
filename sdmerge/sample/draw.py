"""Drawing: jobs in, pictures out, one after the other.

    live = LiveMerge(probe=pipelines)
    drawer = Drawer(live)
    live.show(plan(recipe))
    for picture in drawer.draw([Shot("a castle", seed) for seed in range(4)]):
        picture.image.save(f"{picture.shot.seed}.png")

The same seed gives the same noise, whatever the model, the device and the batch: a picture drawn
among others differs from itself drawn alone by rounding only, where kernels for another batch size
add in another order. A drawer keeps the embeddings of prompts as long as the text encoder's weights
are those they were made with, so after a merge of the UNet alone it only denoises.
"""

from __future__ import annotations

import copy
import inspect
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import torch
from PIL.Image import Image

from sdmerge.errors import Cancelled, InputError
from sdmerge.live import LiveMerge
from sdmerge.sample.conditions import Conditions
from sdmerge.sample.inversion import Inversion
from sdmerge.sample.noise import Kept, Noise, draw_noise, latent_shape
from sdmerge.sample.samplers import make_scheduler
from sdmerge.sample.settings import Sampling
from sdmerge.sample.suited import Suited, filled, suited


@dataclass(frozen=True, slots=True)
class Shot:
    """One picture to draw."""

    prompt: str
    seed: int
    sampling: Sampling = field(default_factory=Sampling)


@dataclass(frozen=True, slots=True)
class Picture:
    """What was drawn; `sampling` has the steps and the guidance it was drawn with.

    `seconds` is its share of the time that its batch took.
    """

    shot: Shot
    sampling: Sampling
    image: Image
    seconds: float


@dataclass(frozen=True, slots=True)
class Drawing:
    """How far drawing is: pictures done, and steps of those that are being drawn."""

    pictures: int
    of_pictures: int
    step: int
    of_steps: int


class Drawer:
    """Draws with a LiveMerge as it is at the moment, or with a pipeline whose weights stay.

    inversions: Textual inversions, whose words prompts may use.
    keep: How many prompts' embeddings are kept.
    pause: Called before every step. It may show other plans and draw, with a drawer that is
        `apart`, if in the end it shows again what was shown.
    apart: Draw with a pipeline of its own over the same weights, so that one that is at work with
        them goes on afterwards as if nothing had been.
    """

    def __init__(
        self,
        source: LiveMerge | Any,
        *,
        inversions: Sequence[Inversion] = (),
        keep: int = 256,
        pause: Callable[[], None] | None = None,
        apart: bool = False,
    ) -> None:
        self._source = source
        self._pause = pause
        self._apart = apart
        self._own: tuple[Any, Any] = (None, None)
        self._conditions = Conditions(inversions, keep)
        self._noise: Kept[tuple[int, tuple[int, ...]], Noise] = Kept(keep)

    @property
    def pipeline(self) -> Any:
        """What it draws with."""
        shared = self._source.pipeline if isinstance(self._source, LiveMerge) else self._source
        if not self._apart:
            return shared
        if self._own[0] is not shared:
            self._own = shared, _beside(shared)
        return self._own[1]

    @property
    def suited(self) -> Suited:
        """Steps and guidance where a shot leaves them open."""
        plan = self._source.plan if isinstance(self._source, LiveMerge) else None
        return suited(self.pipeline, plan)

    def draw(
        self,
        shots: Sequence[Shot],
        *,
        batch: int = 8,
        progress: Callable[[Drawing], None] | None = None,
        cancel: threading.Event | None = None,
    ) -> Iterator[Picture]:
        """A picture per shot, in order; neighbours of one sampling are drawn `batch` at a time.

        `cancel` is looked at before every step; it raises Cancelled. What a prompt or a setting has
        wrong is an error before the first picture is drawn.
        """
        pipeline, found = self.pipeline, self.suited
        _refuse_pictures_from_pictures(pipeline)
        named = [filled(shot.sampling, found) for shot in shots]
        self._conditions.use(pipeline, self._address)
        for shot, sampling in zip(shots, named, strict=True):
            self._conditions.of(shot.prompt, sampling)
            if sampling.sampler:
                make_scheduler(sampling.sampler, pipeline.scheduler)
        done = 0
        for start, stop in self._groups(shots, named, batch):

            def watch(step: int, of_steps: int, done: int = done) -> None:
                if self._pause is not None:
                    self._pause()
                if cancel is not None and cancel.is_set():
                    raise Cancelled("drawing was stopped")
                if progress is not None:
                    progress(Drawing(done, len(shots), step, of_steps))

            if self.pipeline is not pipeline:  # a pause needed another one in its place
                pipeline = self.pipeline
                self._conditions.use(pipeline, self._address)
            began = time.perf_counter()
            images = self._batch(pipeline, shots[start:stop], named[start], watch)
            seconds = (time.perf_counter() - began) / (stop - start)
            for shot, image in zip(shots[start:stop], images, strict=True):
                yield Picture(shot, named[start], image, seconds)
            done = stop
        if progress is not None:
            progress(Drawing(done, len(shots), 0, 0))

    @property
    def _address(self) -> Callable[[str], str] | None:
        return self._source.address if isinstance(self._source, LiveMerge) else None

    def _groups(
        self, shots: Sequence[Shot], named: Sequence[Sampling], batch: int
    ) -> Iterator[tuple[int, int]]:
        """Runs of shots to draw together: beside a longer prompt others would be lengthened."""
        kinds = [
            (sampling, self._conditions.of(shot.prompt, sampling).length)
            for shot, sampling in zip(shots, named, strict=True)
        ]
        start = 0
        for place in range(1, len(shots) + 1):
            full = place - start == max(1, batch)
            if place == len(shots) or full or kinds[place] != kinds[start]:
                yield start, place
                start = place

    @torch.no_grad()
    def _batch(
        self,
        pipeline: Any,
        shots: Sequence[Shot],
        sampling: Sampling,
        watch: Callable[[int, int], None],
    ) -> list[Image]:
        conditions = [self._conditions.of(shot.prompt, sampling) for shot in shots]
        takes = inspect.signature(pipeline.__call__).parameters
        arguments: dict[str, Any] = {
            "num_inference_steps": sampling.steps,
            "guidance_scale": sampling.guidance_scale,
            "width": sampling.width,
            "height": sampling.height,
            **self._conditions.arguments(conditions),
            **self._start(pipeline, shots, sampling),
        }
        steps = sampling.steps or 0

        def after(_: Any, step: int, __: Any, tensors: dict[str, Any]) -> dict[str, Any]:
            watch(step + 1, steps)
            return tensors

        if "callback_on_step_end" in takes:
            arguments["callback_on_step_end"] = after
        watch(0, steps)
        own = pipeline.scheduler
        if sampling.sampler:
            pipeline.scheduler = make_scheduler(sampling.sampler, own)
        try:
            return pipeline(**arguments).images
        finally:
            pipeline.scheduler = own

    def _start(self, pipeline: Any, shots: Sequence[Shot], sampling: Sampling) -> dict[str, Any]:
        """Each picture's own generator, and the noise that was drawn from it."""
        shape = latent_shape(pipeline, sampling.width, sampling.height)
        if shape is None:
            return {"generator": [torch.Generator("cpu").manual_seed(shot.seed) for shot in shots]}
        found = [self._noise_of(shot.seed, shape) for shot in shots]
        dice = [torch.Generator("cpu").set_state(state) for _, state in found]
        noise = torch.cat([noise for noise, _ in found])
        return {"generator": dice, "latents": noise.to(pipeline.unet.dtype)}

    def _noise_of(self, seed: int, shape: tuple[int, ...]) -> Noise:
        key = (seed, shape)
        return self._noise.get(key) or self._noise.put(key, draw_noise(seed, shape))


def draw(
    pipeline: Any, shots: Sequence[Shot], sampling: Sampling, batch: int = 8
) -> Iterator[Image]:
    """An image per shot, in order, all drawn with `sampling`."""
    same = [replace(shot, sampling=sampling) for shot in shots]
    for picture in Drawer(pipeline, keep=len(same)).draw(same, batch=batch):
        yield picture.image


def _beside(pipeline: Any) -> Any:
    """A pipeline of the same networks that keeps its own state while it draws."""
    own, scheduler = copy.copy(pipeline), pipeline.scheduler
    own.scheduler = scheduler.from_config(scheduler.config)
    return own


def _refuse_pictures_from_pictures(pipeline: Any) -> None:
    if "strength" in inspect.signature(pipeline.__call__).parameters:
        what = f"{type(pipeline).__name__} draws from another picture, not from a prompt alone"
        raise InputError(what)
