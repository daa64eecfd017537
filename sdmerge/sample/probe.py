"""Probe: what methods want to know of models that run, asked of diffusers pipelines."""

# pipelines are diffusers', which is untyped
# pyright: reportUnknownVariableType=false

from __future__ import annotations

import functools
import importlib
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, nn

from sdmerge.errors import PlanError
from sdmerge.fit import Change, Examples, Keep, Said, Training
from sdmerge.plan import Plan
from sdmerge.sample.changed import Changed, layers_of
from sdmerge.sample.denoising import denoising_loss, draw_latent
from sdmerge.sample.draw import Shot, draw
from sdmerge.sample.gather import squared_gradients, watched
from sdmerge.sample.pipeline import build_pipeline
from sdmerge.sample.references import encoded
from sdmerge.sample.settings import Sampling
from sdmerge.sample.zipping import Example, Lessons, found, lessons, train
from sdmerge.scorers import SCORERS
from sdmerge.scoring.choice import parse_choice
from sdmerge.scoring.loader import Loader
from sdmerge.scoring.panel import Shown, open_panel
from sdmerge.scoring.prompts import Line
from sdmerge.scoring.statistics import by_prompt
from sdmerge.sinks.pipeline import component_names, side_files

GUIDANCE = 3.0


def pipelines(plans: Sequence[Plan], seed: int) -> PipelineProbe:
    """A probe of models that are given as plans; merge.run takes it as `probe`."""
    return PipelineProbe(tuple(plans), seed)


@dataclass(frozen=True, slots=True)
class PipelineProbe:
    """Builds one pipeline at a time, in float32."""

    plans: tuple[Plan, ...]
    seed: int
    _kept: dict[str, Any] = field(default_factory=dict[str, Any], repr=False)

    def networks(self) -> Mapping[str, tuple[nn.Module, Mapping[str, Any]]]:
        """The main network, as a module without weights."""
        plan = self.plans[0]
        main = plan.family.main.name if plan.family.components else ""
        if main not in component_names(plan):
            raise PlanError(f"only networks of a known family are aligned, not {plan.family.title}")
        files = side_files(plan)
        config = json.loads(files[f"{main}/config.json"])
        library, name = json.loads(files["model_index.json"])[main]
        with torch.device("meta"):
            module: Any = getattr(importlib.import_module(library), name).from_config(config)
            return {main: (module.eval(), _unet_inputs(module.config))}

    def activations(
        self, place: int, prompts: Sequence[str], keep: Mapping[str, Keep], *,
        samples: int, steps: int,
    ) -> Iterator[tuple[str, Tensor]]:  # fmt: skip
        """What is kept of all that each layer sees while the pipeline draws."""
        pipeline = self._pipeline(place)
        sums: dict[str, Tensor] = {}
        with watched(self._layers(pipeline), keep, sums):
            for _ in draw(pipeline, self._shots(prompts, samples), Sampling(steps, GUIDANCE)):
                pass
        yield from ((key, one.cpu()) for key, one in sums.items())

    def mergers(
        self, changes: Mapping[str, Sequence[Change | None]], shown: Mapping[str, Examples],
        training: Training, said: Said,
    ) -> Iterator[tuple[str, Mapping[int, Tensor]]]:  # fmt: skip
        """Column mergers, trained on references, or on what each model draws for its own prompts.

        The last plan is the base's; every model is the base with its changes at work.
        """
        pipeline = self._pipeline(-1)
        parameters = dict(self._parameters(pipeline))
        changed = Changed(layers_of(self._layers(pipeline)), parameters, changes)
        given = {name: encoded(pipeline, own) for name, own in shown.items()}
        with changed.hooked():
            taught: dict[str, Lessons] = {}
            for place, (name, own) in enumerate(shown.items()):
                with changed.alone(place):
                    examples = given[name] or self._drawn(pipeline, own.prompts, training)
                    taught[name] = lessons(pipeline, examples, training, self.seed)
            train(pipeline, changed, taught, training, said)
        yield from found(changed.mergers)

    def gradients(
        self, place: int, prompts: Sequence[str], *, samples: int, steps: int
    ) -> Iterator[tuple[str, Tensor]]:
        """The mean squared gradient, sample by sample, of the loss on what the model draws."""
        pipeline = self._pipeline(place)
        parameters = dict(self._parameters(pipeline))
        losses = (
            functools.partial(denoising_loss, pipeline, shot, steps, GUIDANCE)
            for shot in self._shots(prompts, samples)
        )
        sums = squared_gradients(parameters, losses)
        yield from ((key, total.cpu() / samples) for key, total in sums.items())

    @torch.no_grad()
    def score(
        self,
        weights: Mapping[str, Tensor],
        scorer: str,
        prompts: Sequence[str],
        *,
        samples: int,
        steps: int,
    ) -> float:
        """The mean score over prompts of what the first input draws with these weights."""
        panel = self._once(scorer, lambda: open_panel([parse_choice(scorer)], SCORERS, Loader()))
        pipeline = self._once("", lambda: self._pipeline(0))
        parameters = dict(self._parameters(pipeline))
        for key in weights:
            if key in parameters:
                parameters[key].copy_(weights[key].reshape(parameters[key].shape))
        shots = self._shots(prompts, samples)
        lines = {prompt: Line(prompt, prompt) for prompt in prompts}
        places = {prompt: place for place, prompt in enumerate(prompts)}
        pictures = draw(pipeline, shots, Sampling(steps, GUIDANCE))
        shown = (
            Shown(picture, lines[shot.prompt], places[shot.prompt], shot.seed)
            for picture, shot in zip(pictures, shots, strict=True)
        )
        (name,), (judge,) = panel.names, panel.judges
        found = {(one.prompt, one.seed): one.scores[name] for one in panel.score(shown)}
        mean = float(by_prompt(found).mean())
        return mean if judge.spec.higher_is_better else -mean

    def _once(self, name: str, make: Callable[[], Any]) -> Any:
        if name not in self._kept:
            self._kept[name] = make()
        return self._kept[name]

    def _pipeline(self, place: int) -> Any:
        return build_pipeline(self.plans[place], dtype=torch.float32, probe=pipelines)

    def _shots(self, prompts: Sequence[str], samples: int) -> list[Shot]:
        return [Shot(prompts[n % len(prompts)], self.seed + n) for n in range(samples)]

    def _drawn(self, pipeline: Any, prompts: Sequence[str], training: Training) -> list[Example]:
        """What the pipeline itself draws."""
        return [
            Example(draw_latent(pipeline, shot, training.steps, GUIDANCE), shot.prompt)
            for shot in self._shots(prompts, training.samples)
        ]

    def _parts(self, pipeline: Any) -> Iterator[tuple[str, nn.Module]]:
        for name in component_names(self.plans[0]):
            yield name, getattr(pipeline, name)

    def _layers(self, pipeline: Any) -> Iterator[tuple[str, nn.Module]]:
        for part, module in self._parts(pipeline):
            for name, layer in module.named_modules():
                if isinstance(layer, nn.Linear | nn.Conv2d):
                    yield _canonical(part, f"{name}.weight"), layer

    def _parameters(self, pipeline: Any) -> Iterator[tuple[str, nn.Parameter]]:
        for part, module in self._parts(pipeline):
            for name, parameter in module.named_parameters():
                yield _canonical(part, name), parameter


def _canonical(component: str, name: str) -> str:
    return f"{component}.{name.replace('text_model.', '', 1)}"


def _unet_inputs(config: Any) -> Mapping[str, Any]:
    """Arguments that fit a UNet of any size."""
    side = 8 * 2 ** len(config.block_out_channels)
    found: dict[str, Any] = {
        "sample": torch.zeros(1, config.in_channels, side, side),
        "timestep": torch.zeros(1),
        "encoder_hidden_states": torch.zeros(1, 7, config.cross_attention_dim),
    }
    if config.addition_embed_type == "text_time":
        pooled = config.projection_class_embeddings_input_dim - 6 * config.addition_time_embed_dim
        found["added_cond_kwargs"] = {
            "text_embeds": torch.zeros(1, pooled), "time_ids": torch.zeros(1, 6),
        }  # fmt: skip
    return found
