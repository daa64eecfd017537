"""The aesthetic head: from clip_a's embedding of a picture to how clean the picture is.

It has the layers and names of LAION's predictor (improved-aesthetic-predictor), only narrower:
linear layers with dropout between, on the normalised embedding, so one number from 0 to 10.
"""

import json

import torch
from safetensors.torch import load_file, save_file
from torch import Generator, Tensor, nn
from torch.nn import functional

from samples.train.clip import WIDTH, trained_clip
from samples.train.dataset import CLIP_SETS, dataset
from samples.train.draw import blurred
from samples.train.export import METADATA
from samples.train.loop import Schedule, Task
from samples.train.paths import SCORERS

FOLDER = SCORERS / "aesthetic"
WIDTHS = (64, 32, 16, 8)
BEST = 10.0
CHUNK = 256
LEVELS = 6  # how often each picture is seen, clean and ever more spoiled


class Aesthetic(nn.Module):
    """LAION's linear layers: `layers.0`, `.2`, `.4`, `.6`, `.7`."""

    def __init__(self) -> None:
        super().__init__()
        a, b, c, d = WIDTHS
        self.layers = nn.Sequential(
            nn.Linear(WIDTH, a), nn.Dropout(0.2), nn.Linear(a, b), nn.Dropout(0.2),
            nn.Linear(b, c), nn.Dropout(0.1), nn.Linear(c, d), nn.Linear(d, 1),
        )  # fmt: skip

    def forward(self, embeddings: Tensor) -> Tensor:
        """Scores [n] of unit vectors [n, width]."""
        return self.layers(embeddings).squeeze(1)


def aesthetic_task() -> Task:
    """Train on clip_a's pictures: the score falls with noise, blur and fading."""
    torch.manual_seed(33)
    head = Aesthetic()
    embeddings, levels = _examples()
    schedule = Schedule(3000, 512, averaging=0.99)

    def loss(dice: Generator, share: slice) -> Tensor:
        del share
        rows = torch.randint(len(embeddings), (schedule.batch,), generator=dice)
        return functional.mse_loss(head(embeddings[rows]), BEST * (1 - levels[rows]))

    def save() -> None:
        FOLDER.mkdir(parents=True, exist_ok=True)
        weights = {key: value.half() for key, value in head.state_dict().items()}
        save_file(weights, FOLDER / "model.safetensors", METADATA)
        config = json.dumps({"clip": "../clip_a", "widths": [WIDTH, *WIDTHS, 1]}, indent=2)
        (FOLDER / "config.json").write_text(config + "\n", "utf-8")

    groups = [{"params": list(head.parameters()), "rate": 3e-3}]
    return Task("aesthetic", 33, schedule, groups, loss, save)


def load_aesthetic() -> Aesthetic:
    """The shipped head."""
    head = Aesthetic()
    weights = load_file(FOLDER / "model.safetensors")
    head.load_state_dict({key: value.float() for key, value in weights.items()})
    return head.eval()


def worsen(images: Tensor, level: Tensor, dice: Generator) -> Tensor:
    """Pictures in -1…1 [n, 3, h, w] with noise, blur and fading of `level` [n], 0 to 1."""
    level = level[:, None, None, None]
    kinds = torch.rand(len(images), 3, generator=dice).softmax(1)[:, :, None, None, None]
    soft = blurred(images, 4)
    images = images + (3 * kinds[:, 0] * level).clamp(max=1) * (soft - images)
    images = images * (1 - (2 * kinds[:, 1] * level).clamp(max=0.9))
    return images + 2 * kinds[:, 2] * level * torch.randn(images.shape, generator=dice)


@torch.no_grad()
def _examples() -> tuple[Tensor, Tensor]:
    """Embeddings of spoiled pictures, and how far each is spoiled."""
    clip, dice = trained_clip("clip_a"), Generator().manual_seed(33)
    names = [name for name in CLIP_SETS if name.startswith("clip-a")]
    pixels = torch.cat([dataset(name).pixels[:1024] for name in names])
    embeddings: list[Tensor] = []
    levels: list[Tensor] = []
    for chunk in pixels.repeat(LEVELS, 1, 1, 1).split(CHUNK):
        # a sixth is clean
        level = (1.2 * torch.rand(len(chunk), generator=dice) - 0.2).clamp(min=0)
        images = worsen(chunk.float() / 127.5 - 1, level, dice)
        embeddings.append(clip.images(images.clamp(-1, 1)))
        levels.append(level)
    return torch.cat(embeddings), torch.cat(levels)
