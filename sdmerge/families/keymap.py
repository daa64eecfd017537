"""KeyMap: which run of which source tensor goes where, and back."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from sdmerge.tensors.spec import TensorSpec


@dataclass(frozen=True, slots=True)
class Piece:
    """`count` elements of `source`'s flat data from `source_start` go to `target`'s flat data.

    `transpose` is (rows, columns) of the source where a whole 2-D tensor changes orientation.
    """

    source: str
    source_start: int
    target: str
    target_start: int
    count: int
    transpose: tuple[int, int] | None = None

    def turned(self) -> Piece:
        """The piece that undoes this one."""
        back = (self.transpose[1], self.transpose[0]) if self.transpose else None
        return Piece(
            self.target, self.target_start, self.source, self.source_start, self.count, back
        )


@dataclass(frozen=True, slots=True)
class KeyMap:
    """How each target tensor is copied together from source tensors.

    Reading, targets are canonical keys and sources a file's keys; `inverse()` is for writing.
    """

    specs: Mapping[str, TensorSpec]
    pieces: Mapping[str, tuple[Piece, ...]]
    sources: Mapping[str, TensorSpec]

    def inverse(self) -> KeyMap:
        """The map that takes targets back to sources, in the order the sources are listed.

        A source that the targets do not cover to the last element is left out.
        """
        turned: dict[str, list[Piece]] = {name: [] for name in self.sources}
        for pieces in self.pieces.values():
            for piece in pieces:
                turned[piece.source].append(piece.turned())
        whole = {
            name: tuple(sorted(pieces, key=lambda piece: piece.target_start))
            for name, pieces in turned.items()
            if pieces and sum(piece.count for piece in pieces) == self.sources[name].numel
        }
        return KeyMap({name: self.sources[name] for name in whole}, whole, self.specs)


def identity(specs: Mapping[str, TensorSpec], rename: Mapping[str, str]) -> KeyMap:
    """The map that only renames: `rename` gives each source's target."""
    pieces = {
        target: (Piece(source, 0, target, 0, specs[source].numel),)
        for source, target in rename.items()
    }
    targets = {target: specs[source] for source, target in rename.items()}
    return KeyMap(targets, pieces, {source: specs[source] for source in rename})


def union(maps: list[KeyMap]) -> KeyMap:
    """All maps as one; their targets differ."""
    return KeyMap(
        {key: spec for one in maps for key, spec in one.specs.items()},
        {key: pieces for one in maps for key, pieces in one.pieces.items()},
        {key: spec for one in maps for key, spec in one.sources.items()},
    )
