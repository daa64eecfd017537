"""What a module's name means: the base's own names, of both layouts, flattened into a dictionary.

No table of LoRA names is needed: kohya's names are the names of the model it trains with "_" for
".", and everybody else's are those names themselves.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from sdmerge.adapters.lora.kinds.edit import Part
from sdmerge.adapters.lora.names import ModuleName, flatten, spellings
from sdmerge.families.family import Family
from sdmerge.families.keymap import KeyMap, Piece
from sdmerge.tensors.spec import TensorSpec

_WEIGHT = re.compile(r"[._]weight$")
_BIAS = re.compile(r"[._]bias$")


@dataclass(frozen=True, slots=True)
class Target:
    """A tensor a module may change: its key and shape where it is named so, and where it goes."""

    key: str
    shape: tuple[int, ...]
    pieces: tuple[Piece, ...]  # from this weight to canonical keys

    @property
    def numel(self) -> int:
        """How many numbers it holds."""
        return math.prod(self.shape)

    @property
    def component(self) -> str:
        """The component it belongs to."""
        return self.pieces[0].target.partition(".")[0]


class Targets:
    """Every weight and bias of a base model by component and flattened name."""

    def __init__(
        self, family: Family, specs: Mapping[str, TensorSpec], single_file: KeyMap | None
    ) -> None:
        """`single_file` says how the base's weights make a single file (`single_file_map`)."""
        self._targets: dict[str, dict[str, Target]] = {}
        self._biases: dict[str, dict[str, Target]] = {}
        for key, spec in specs.items():
            component, _, name = key.partition(".")
            if component in family.by_name:
                target = Target(key, spec.shape, (Piece(key, 0, key, 0, spec.numel),))
                self._add(component, (name, family.component(component).saved_key(name)), target)
        if single_file is not None:
            self._add_single_file(family, single_file)

    def find(self, name: ModuleName, part: Part = "weight") -> tuple[Target, ...]:
        """The tensors a name may mean: one, or one in each of several components, or none."""
        targets = self._targets if part == "weight" else self._biases
        wanted = [component for component in name.components if component in self._targets][:1]
        found: list[Target] = []
        for component in wanted if name.components else self._targets:
            names = targets[component]
            found += [names[one] for one in spellings(name.path) if one in names][:1]
        return tuple(found)

    def _add(self, component: str, names: Iterable[str], target: Target) -> None:
        weights = self._targets.setdefault(component, {})
        biases = self._biases.setdefault(component, {})
        for name in names:
            known, end = (biases, _BIAS) if _BIAS.search(name) else (weights, _WEIGHT)
            known.setdefault(flatten(end.sub("", name)), target)

    def _add_single_file(self, family: Family, single_file: KeyMap) -> None:
        by_component: dict[str, list[Target]] = {}
        for key, pieces in single_file.pieces.items():
            component = pieces[0].source.partition(".")[0]
            if component in family.by_name:
                back = tuple(piece.turned() for piece in pieces)
                target = Target(key, single_file.specs[key].shape, back)
                by_component.setdefault(component, []).append(target)
        for component, targets in by_component.items():
            root = _root([target.key for target in targets])
            for target in targets:
                self._add(component, (target.key.removeprefix(root), target.key), target)


def _root(keys: Sequence[str]) -> str:
    """What stands before every key, up to a dot: "model.diffusion_model."."""
    first, last = min(keys), max(keys)  # what these two share, all share
    same = 0
    while same < len(first) and first[: same + 1] == last[: same + 1]:
        same += 1
    return first[: first.rfind(".", 0, same) + 1]
