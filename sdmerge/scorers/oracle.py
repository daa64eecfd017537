"""Oracle: a small network that names what a picture of a little world shows."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import torch
from torch import Tensor, nn

from sdmerge.errors import FileError, ScorerError
from sdmerge.scoring.batch import Batch
from sdmerge.scoring.loader import Loader, read_json
from sdmerge.scoring.preprocess import Transform
from sdmerge.scoring.scorer import scorer
from sdmerge.scoring.towers import loading

_SAMPLES = "samples/scorers/oracle"
_CHUNK = 128
_MIDDLE = (0.5, 0.5, 0.5)
_TRANSFORM = Transform((64, 64), None, "squash", mean=_MIDDLE, std=_MIDDLE)


class Attributes(nn.Module):
    """Convolutions down to 4×4 from 64×64, then one linear head per question."""

    def __init__(self, answers: Mapping[str, Sequence[str]], width: int) -> None:
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

    def name(self, pictures: Tensor) -> dict[str, list[str]]:
        """The likeliest answers, one list per question, for pictures in -1…1."""
        parts = range(0, len(pictures), _CHUNK)
        scores = [self(pictures[at : at + _CHUNK].float()) for at in parts]
        best = {name: torch.cat([part[name] for part in scores]).argmax(1) for name in self.answers}
        return {
            name: [answers[int(at)] for at in best[name]] for name, answers in self.answers.items()
        }


@dataclass(frozen=True, slots=True)
class Witness:
    """The network, and how captions say what it should see."""

    network: Attributes
    patterns: tuple[re.Pattern[str], ...]
    """Whole captions, with a named group per question."""
    words: Mapping[str, str]
    """What captions say → the network's answer, where that is another word."""
    unsaid: Mapping[str, str]
    """Answers that a caption means by saying nothing."""
    device: str

    def wanted(self, caption: str) -> dict[str, str]:
        """By question the answer that the caption asks for."""
        for pattern in self.patterns:
            if found := pattern.fullmatch(caption):
                said = {name: word for name, word in found.groupdict().items() if word}
                return {
                    **self.unsaid,
                    **{name: self.words.get(word, word) for name, word in said.items()},
                }
        hint = "It reads captions of its own world only, as in samples/prompts."
        raise ScorerError(f"the oracle cannot read the caption '{caption}'", hint=hint)


def load(loader: Loader, *, model: str) -> Witness:
    """The folder: config.json and model.safetensors of the network, captions.json."""
    folder = loader.find(model)
    return loading(folder, lambda: _open(loader, folder))


def _open(loader: Loader, folder: Path) -> Witness:
    config, captions = (read_json(folder / name) for name in ("config.json", "captions.json"))
    network = Attributes(config["answers"], int(config["width"]))
    weights = loader.weights(folder / "model.safetensors")
    if network.state_dict().keys() != weights.keys():
        raise FileError("is not the network that config.json describes", where=str(folder))
    network.load_state_dict(weights)
    fields: dict[str, Any] = captions
    return Witness(
        network.eval().requires_grad_(False).to(loader.device),
        tuple(re.compile(pattern) for pattern in fields["patterns"]),
        fields["words"],
        fields["unsaid"],
        loader.device,
    )


@scorer(
    title="Oracle of the samples", checkpoint=_SAMPLES, needs=("caption",), load=load,
    range=(0.0, 1.0),
)  # fmt: skip
def oracle(
    batch: Batch, witness: Witness, *, model: str = _SAMPLES,  # noqa: ARG001  the witness is opened by it
    count: Literal["all", "share"] = "all",
) -> Tensor:  # fmt: skip
    """Whether a picture shows the shape, the colours and the style that its caption names.

    A network that was trained on drawn pictures of the sample world (samples/README.md). It is for
    reports: a search that asks it makes its figures worth nothing.

    model: The oracle's folder.
    count: 1 if all of it is right, or the share that is.
    """
    seen = witness.network.name(_TRANSFORM(batch.levels).to(witness.device))
    asked = [witness.wanted(caption) for caption in batch.captions]
    right = [
        [seen[question][place] == answer for question, answer in wanted.items()]
        for place, wanted in enumerate(asked)
    ]
    shares = [sum(row) / len(row) for row in right]
    return torch.tensor([float(s == 1) for s in shares] if count == "all" else shares)
