"""Conditions: what the denoiser is told of each prompt, kept as long as the text encoders stay."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import torch

from sdmerge.errors import InputError
from sdmerge.sample.encode import Embeddings, encode, padded, readers
from sdmerge.sample.inversion import Inversion
from sdmerge.sample.noise import Kept
from sdmerge.sample.prompt import plain_prompt
from sdmerge.sample.settings import Sampling


@dataclass(frozen=True, slots=True)
class Condition:
    """A prompt and its negative, as embeddings or as words; `length` is that of the embeddings."""

    prompt: Embeddings | str
    negative: Embeddings | str | None
    length: int = 0


class Conditions:
    """The conditions of prompts for one pipeline at a time."""

    def __init__(self, inversions: Sequence[Inversion], keep: int) -> None:
        self._inversions = tuple(inversions)
        self._kept: Kept[object, Embeddings] = Kept(2 * keep)
        self._pipeline: Any = None
        self._number = 0
        self._address: object = None
        self._readers: list[Any] = []
        self._device: Any = None

    def use(self, pipeline: Any, address: Callable[[str], str] | None) -> None:
        """Draw for `pipeline` from now on; `address` tells its components' weights apart."""
        if pipeline is not self._pipeline:
            self._pipeline, self._number = pipeline, self._number + 1
        self._readers, self._device = readers(pipeline), None
        slots = [name for name in pipeline.components if name.startswith("text_encoder")]
        self._address = (
            self._number,
            tuple(address(slot) for slot in slots) if address is not None else (),
        )

    def of(self, prompt: str, sampling: Sampling) -> Condition:
        """The condition of a prompt; whatever it has wrong is an InputError."""
        if not self._readers:
            return self._words(prompt, sampling)
        found = self._encode(prompt, sampling.clip_skip)
        if not _guided(sampling):
            return Condition(found, None, found.tokens.shape[1])
        empty = self._encode("", sampling.clip_skip)
        negative = self._encode(sampling.negative_prompt, sampling.clip_skip)
        length = max(found.tokens.shape[1], negative.tokens.shape[1])
        found, negative = padded(found, empty, length), padded(negative, empty, length)
        config = self._pipeline.config
        if not sampling.negative_prompt and config.get("force_zeros_for_empty_prompt"):
            negative = negative.zeros()
        return Condition(found, negative, length)

    def arguments(self, conditions: Sequence[Condition]) -> dict[str, Any]:
        """The arguments of the pipeline for a batch."""
        prompts = [one.prompt for one in conditions]
        negatives = [one.negative for one in conditions if one.negative is not None]
        return {**_arguments("", prompts), **_arguments("negative_", negatives)}

    def _encode(self, prompt: str, clip_skip: int) -> Embeddings:
        key = (self._address, prompt, clip_skip)
        kept = self._kept.get(key)
        if kept is not None:
            return kept
        if self._device is None:  # diffusers looks through all modules for it
            self._device = self._pipeline._execution_device
        found = encode(
            self._readers, prompt, clip_skip=clip_skip, inversions=self._inversions,
            device=self._device,
        )  # fmt: skip
        return self._kept.put(key, found)

    def _words(self, prompt: str, sampling: Sampling) -> Condition:
        """For encoders other than CLIP: words alone."""
        if sampling.clip_skip != 1 or self._inversions:
            what = "clip_skip" if sampling.clip_skip != 1 else "a textual inversion"
            raise InputError(f"{what} is for models that read prompts with CLIP alone")
        words = plain_prompt(prompt)
        if not sampling.negative_prompt:
            return Condition(words, None)
        if "negative_prompt" not in inspect.signature(self._pipeline.__call__).parameters:
            raise InputError(f"{type(self._pipeline).__name__} takes no negative prompt")
        return Condition(words, plain_prompt(sampling.negative_prompt))


def _guided(sampling: Sampling) -> bool:
    return sampling.guidance_scale is None or sampling.guidance_scale > 1


def _arguments(head: str, values: Sequence[Embeddings | str]) -> dict[str, Any]:
    if not values:
        return {}
    if isinstance(values[0], str):
        return {f"{head}prompt": list(values)}
    embeddings = [one for one in values if isinstance(one, Embeddings)]
    found = {f"{head}prompt_embeds": torch.cat([one.tokens for one in embeddings])}
    pooled = [one.pooled for one in embeddings if one.pooled is not None]
    if pooled:
        stem = head.removesuffix("_")
        name = f"{stem}_pooled_prompt_embeds" if stem else "pooled_prompt_embeds"
        found[name] = torch.cat(pooled)
    return found
