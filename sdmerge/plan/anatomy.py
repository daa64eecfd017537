"""What filters and curves need to know of a model: its keys, components, blocks and depths."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from sdmerge.errors import PlanError
from sdmerge.params import Param

_EMBEDDING = re.compile(r"emb(?!ed_out)|\bwte\b|\bwpe\b")
_LAYER = re.compile(r"\.(?:layers|blocks|h|resblocks)\.(\d+)\.")


def no_branch(key: str) -> str:  # noqa: ARG001
    """The branches of an unknown network."""
    return ""


@dataclass(frozen=True, slots=True)
class Anatomy:
    """The keys of a merge and where each lies. `blocks` are in order of depth, without BASE."""

    keys: tuple[str, ...]
    components: tuple[str, ...]
    blocks: tuple[str, ...]
    block_of: Mapping[str, str]
    labelled: bool = True
    """Whether people write the blocks' labels (IN04), not so for layers of unknown models."""

    branch: Callable[[str], str] = no_branch
    """The residual branch of a network that a key is the output projection of, '' if of none."""

    whole: frozenset[str] = frozenset()
    """Components taken whole without the recipe saying so: no parameter changes them."""

    def seen_by(self, param: Param, where: str) -> Anatomy:
        """The keys that a parameter is for: of a gain, those of its branch; a PlanError if none."""
        if not param.of_branch:
            return self
        keys = tuple(key for key in self.keys if self.branch(key) == param.name)
        if not keys:
            what = f"no branch '{param.name}' is known in this model"
            raise PlanError(what, where=where, hint="Leave the parameter out.")
        return replace(self, keys=keys)

    def component_of(self, key: str) -> str:
        """The component `key` belongs to, '' if none."""
        head = key.split(".", 1)[0]
        return head if head in self.components else ""

    def depth(self, key: str) -> float | None:
        """0 at the first block to 1 at the last; None outside them (text encoders, VAE)."""
        block = self.block_of.get(key, "")
        if block not in self.blocks:
            return None
        return self.blocks.index(block) / max(1, len(self.blocks) - 1)

    def place(self, key: str) -> float:
        """Its depth; before the first block or after the last, the depth of that one.

        In files of unknown models what is no embedding comes after the layers, as a norm or a head.
        """
        depth = self.depth(key)
        if depth is not None:
            return depth
        return 0.0 if self.labelled or _EMBEDDING.search(key) else 1.0

    def own_depths(self, component: str) -> dict[str, float]:
        """The depth of a component's keys within itself, by its numbered layers; {} without any."""
        keys = [key for key in self.keys if self.component_of(key) == component]
        if any(self.depth(key) is not None for key in keys):
            return {key: self.depth(key) or 0.0 for key in keys}
        layers = {key: int(match[1]) for key in keys if (match := _LAYER.search(key))}
        if not layers:
            return {}
        last = max(1, *layers.values())
        first_seen = min(keys.index(key) for key in layers)
        return {
            key: layers[key] / last if key in layers else float(keys.index(key) > first_seen)
            for key in keys
        }


def anatomy(
    keys: Iterable[str],
    components: Sequence[str],
    blocks: Sequence[str],
    block: Callable[[str], str],
    *,
    labelled: bool = True,
    branch: Callable[[str], str] = no_branch,
) -> Anatomy:
    """The anatomy of `keys`, whose labels `block` gives."""
    names = tuple(keys)
    block_of = {key: block(key) for key in names}
    return Anatomy(names, tuple(components), tuple(blocks), block_of, labelled, branch)
