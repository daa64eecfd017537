"""Embeddings of prompts with weights, in chunks, for pipelines of one or two CLIP encoders.

compel has another language and another formula than the one most prompts are written for, so this
follows A1111's web interface: the hidden states of a chunk are multiplied with the weights of its
tokens, and then as a whole with one number that gives them back the mean they had.
"""

from __future__ import annotations

import contextlib
import inspect
from collections.abc import Generator, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from sdmerge.errors import InputError
from sdmerge.sample.inversion import Inversion
from sdmerge.sample.prompt import parse_prompt
from sdmerge.sample.tokens import Chunk, Reader


@dataclass(frozen=True, slots=True)
class Embeddings:
    """A prompt as the denoiser sees it: [1, tokens, width], and [1, width] where it is pooled."""

    tokens: Tensor
    pooled: Tensor | None = None

    def zeros(self) -> Embeddings:
        """The same of zeros, which SDXL takes for no negative prompt."""
        pooled = None if self.pooled is None else torch.zeros_like(self.pooled)
        return Embeddings(torch.zeros_like(self.tokens), pooled)


def weigh(states: Tensor, weights: Tensor) -> Tensor:
    """Hidden states [tokens, width] times weights [tokens], scaled to the mean they had.

    Weights that are all 1 change nothing, and neither does the scale where the mean is 0.
    """
    if bool((weights == 1).all()):
        return states
    exact = states.float() if states.dtype in (torch.float16, torch.bfloat16) else states
    weighted = exact * weights.to(exact).unsqueeze(-1)
    mean = weighted.mean()
    return (weighted * (exact.mean() / mean) if mean else weighted).to(states.dtype)


def readers(pipeline: Any) -> list[Reader]:
    """The pipeline's CLIP encoders with their tokenizers; none if it reads prompts another way."""
    from transformers import CLIPTextModel, CLIPTextModelWithProjection

    slots = [name for name in pipeline.components if name.startswith("text_encoder")]
    encoders = [getattr(pipeline, slot) for slot in slots]
    takes = inspect.signature(pipeline.__call__).parameters
    clip = all(isinstance(one, CLIPTextModel | CLIPTextModelWithProjection) for one in encoders)
    pooled = "pooled_prompt_embeds" in takes
    if not clip or "prompt_embeds" not in takes or len(slots) != 1 + pooled:
        return []
    return [
        Reader(getattr(pipeline, slot.replace("text_encoder", "tokenizer")), encoder, place)
        for place, (slot, encoder) in enumerate(zip(slots, encoders, strict=True))
    ]


@torch.no_grad()
def encode(
    readers: Sequence[Reader],
    prompt: str,
    *,
    clip_skip: int = 1,
    inversions: Sequence[Inversion] = (),
    device: torch.device | str = "cpu",
) -> Embeddings:
    """What the encoders make of a prompt, in the order of its chunks."""
    pieces = parse_prompt(prompt)
    parts = [(reader, reader.chunks(pieces, inversions)) for reader in readers]
    count = max(len(chunks) for _, chunks in parts)
    pooled: Tensor | None = None
    states: list[Tensor] = []
    for reader, chunks in parts:
        chunks.extend(Chunk() for _ in range(count - len(chunks)))
        found, pooled = _states(reader, chunks, clip_skip, device, both=len(readers) > 1)
        states.append(found)
    return Embeddings(torch.cat(states, dim=-1), pooled)


def padded(short: Embeddings, empty: Embeddings, tokens: int) -> Embeddings:
    """`short` with chunks of the empty prompt behind it, until it has so many tokens."""
    missing = (tokens - short.tokens.shape[1]) // empty.tokens.shape[1]
    return Embeddings(torch.cat([short.tokens, *[empty.tokens] * missing], dim=1), short.pooled)


def _states(
    reader: Reader, chunks: Sequence[Chunk], clip_skip: int, device: Any, *, both: bool
) -> tuple[Tensor, Tensor | None]:
    """Weighted hidden states [1, tokens, width] of all chunks, and what is pooled of the first."""
    encoder = reader.encoder
    layers: int = encoder.config.num_hidden_layers
    last = 1 if both else 0  # SDXL takes the layer before the last, as it is
    if clip_skip + last > layers:
        raise InputError(f"clip_skip = {clip_skip}, but the text encoder has {layers} layers")
    rows = [reader.rows(chunk) for chunk in chunks]
    ids = torch.tensor([row for row, _ in rows], device=device)
    with _vectors_in_place(reader, chunks):
        said = encoder(ids, output_hidden_states=True)
    if both:
        states = said.hidden_states[-clip_skip - 1]
    elif clip_skip == 1:
        states = said.last_hidden_state
    else:
        states = _final_norm(encoder)(said.hidden_states[-clip_skip])
    weighted = [
        weigh(one, torch.tensor(weights, dtype=torch.float64))
        for one, (_, weights) in zip(states, rows, strict=True)
    ]
    pooled = said.text_embeds[:1] if both and hasattr(said, "text_embeds") else None
    return torch.cat(weighted).unsqueeze(0).to(encoder.dtype), pooled


def _final_norm(encoder: Any) -> Any:
    return getattr(encoder, "text_model", encoder).final_layer_norm


@contextlib.contextmanager
def _vectors_in_place(reader: Reader, chunks: Sequence[Chunk]) -> Generator[None]:
    """While this lasts, learned vectors stand where their tokens are looked up."""
    if not any(chunk.vectors for chunk in chunks):
        yield
        return

    def replace(_: Any, __: Any, looked_up: Tensor) -> Tensor:
        for row, chunk in zip(looked_up, chunks, strict=True):
            for place, vectors in reader.vectors(chunk):
                row[place : place + len(vectors)] = vectors.to(row)
        return looked_up

    hook = reader.table.register_forward_hook(replace)
    try:
        yield
    finally:
        hook.remove()
