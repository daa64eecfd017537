"""The judge of the sample models: a small CNN that names what a picture shows.

It was trained on drawn pictures only, of all triples, and no search or training ever asks it.
"""

import json
from dataclasses import dataclass
from pathlib import Path

import torch
from safetensors.torch import load_file
from torch import Tensor

from sdmerge.scorers.oracle import Attributes

FOLDER = Path(__file__).resolve().parent / "scorers" / "oracle"


@dataclass(frozen=True, slots=True)
class Judgement:
    """The words the oracle chose, one list per question."""

    shape: list[str]
    foreground: list[str]
    background: list[str]
    style: list[str]


class Oracle(Attributes):
    """The network, with its answers put into words."""

    @torch.no_grad()
    def judge(self, pictures: Tensor) -> Judgement:
        """The likeliest answers for pictures in -1…1, [n, 3, 64, 64]."""
        return Judgement(**self.name(pictures))


def load_oracle(folder: Path = FOLDER) -> Oracle:
    """The trained oracle."""
    oracle = Oracle(**json.loads((folder / "config.json").read_text("utf-8")))
    weights = load_file(folder / "model.safetensors")
    oracle.load_state_dict({name: value.float() for name, value in weights.items()})
    return oracle.eval()
