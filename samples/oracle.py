"""The judge of the sample models: a small CNN that names what a picture shows.

It was trained on drawn pictures only, of all triples, and no search or training ever asks it.
"""

import json
from dataclasses import dataclass
from pathlib import Path

import torch
from safetensors.torch import load_file
from torch import Tensor, nn

FOLDER = Path(__file__).resolve().parent / "scorers" / "oracle"


@dataclass(frozen=True, slots=True)
class Judgement:
    """The words the oracle chose, one list per question."""

    shape: list[str]
    foreground: list[str]
    background: list[str]
    style: list[str]


class Oracle(nn.Module):
    """Convolutions down to 4×4, then one linear head per question."""

    def __init__(self, answers: dict[str, list[str]], width: int) -> None:
        super().__init__()
        self.answers = answers
        widths = (width, 2 * width, 3 * width, 4 * width)
        layers: list[nn.Module] = []
        channels = 3
        for out in widths:
            layers += [nn.Conv2d(channels, out, 3, stride=2, padding=1), nn.GroupNorm(8, out)]
            layers += [nn.SiLU(), nn.Conv2d(out, out, 3, padding=1), nn.GroupNorm(8, out)]
            layers += [nn.SiLU()]
            channels = out
        self.trunk = nn.Sequential(*layers, nn.Flatten(), nn.Linear(16 * channels, 128), nn.SiLU())
        self.heads = nn.ModuleDict({name: nn.Linear(128, len(a)) for name, a in answers.items()})

    def forward(self, pictures: Tensor) -> dict[str, Tensor]:
        """Scores of every answer for pictures in -1…1, [n, 3, 64, 64]."""
        features = self.trunk(pictures)
        return {name: head(features) for name, head in self.heads.items()}

    @torch.no_grad()
    def judge(self, pictures: Tensor) -> Judgement:
        """The likeliest answers."""
        scores = [self(chunk) for chunk in pictures.float().split(128)]
        chosen: dict[str, list[str]] = {}
        for name, answers in self.answers.items():
            best = torch.cat([score[name] for score in scores]).argmax(1)
            chosen[name] = [answers[index] for index in best.tolist()]
        return Judgement(**chosen)


def load_oracle(folder: Path = FOLDER) -> Oracle:
    """The trained oracle."""
    oracle = Oracle(**json.loads((folder / "config.json").read_text("utf-8")))
    weights = load_file(folder / "model.safetensors")
    oracle.load_state_dict({name: value.float() for name, value in weights.items()})
    return oracle.eval()
