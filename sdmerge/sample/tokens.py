"""Tokens: a prompt as chunks of the length that a CLIP text encoder reads, with their weights."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from torch import Tensor

from sdmerge.errors import InputError
from sdmerge.sample.inversion import Inversion, split_words
from sdmerge.sample.prompt import Piece


@dataclass
class Chunk:
    """Token ids between the start and the end, their weights, and vectors in place of ids."""

    ids: list[int] = field(default_factory=list[int])
    weights: list[float] = field(default_factory=list[float])
    vectors: list[tuple[int, Inversion]] = field(default_factory=list[tuple[int, Inversion]])


@dataclass(frozen=True, slots=True)
class Reader:
    """A CLIP text encoder and its tokenizer; `place` is its place among the encoders."""

    tokenizer: Any
    encoder: Any
    place: int

    @property
    def room(self) -> int:
        """Tokens in a chunk, its start and its end not counted."""
        most: int = self.encoder.config.max_position_embeddings
        return min(self.tokenizer.model_max_length, most) - 2

    @property
    def table(self) -> Any:
        """The layer that looks up the vectors of tokens."""
        return self.encoder.get_input_embeddings()

    def chunks(self, pieces: Sequence[Piece], inversions: Sequence[Inversion] = ()) -> list[Chunk]:
        """The chunks of a prompt, at least one. BREAK starts a new one, and so does a full one."""
        found = [Chunk()]
        for piece in pieces:
            if piece.stop:
                found.append(Chunk())
            for part in split_words(piece.text, inversions):
                self._add(found, part, piece.weight)
        return found

    def rows(self, chunk: Chunk) -> tuple[list[int], list[float]]:
        """A chunk's ids and weights with start, end and padding, all of one length."""
        empty = self.room - len(chunk.ids)
        start, end, pad = (
            self.tokenizer.bos_token_id, self.tokenizer.eos_token_id, self.tokenizer.pad_token_id,
        )  # fmt: skip
        ids = [start, *chunk.ids, end, *[pad] * empty]
        return ids, [1.0, *chunk.weights, *[1.0] * (empty + 1)]

    def vectors(self, chunk: Chunk) -> Iterator[tuple[int, Tensor]]:
        """Rows of the chunk at which learned vectors start, and these."""
        for place, inversion in chunk.vectors:
            yield place + 1, inversion.of(self.place, self.table.embedding_dim)

    def _add(self, found: list[Chunk], part: str | Inversion, weight: float) -> None:
        if isinstance(part, Inversion):
            count = len(part.of(self.place, self.table.embedding_dim))
            if count > self.room:
                what = f"'{part.word}' has {count} vectors; the text encoder reads {self.room}"
                raise InputError(what, where=str(part.path))
            if len(found[-1].ids) + count > self.room:
                found.append(Chunk())
            found[-1].vectors.append((len(found[-1].ids), part))
            self._put(found, [0] * count, weight)
        else:
            # how long a prompt may be is not the tokenizer's business here
            said = self.tokenizer(part, add_special_tokens=False, truncation=False, verbose=False)
            self._put(found, said["input_ids"], weight)

    def _put(self, found: list[Chunk], ids: Sequence[int], weight: float) -> None:
        for token in ids:
            if len(found[-1].ids) == self.room:
                found.append(Chunk())
            found[-1].ids.append(token)
            found[-1].weights.append(weight)
