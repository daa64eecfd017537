"""LoRAs of SDXL: merging two by TIES, and extracting, beside a full SVD of every matrix.

`python -m benchmarks.lora --folder DIR` makes two random LoRAs of rank 64 in DIR, of the 722 linear
modules of SDXL's UNet at their real shapes, and merges them over the command line, in a process of
its own while its anonymous memory is watched. Then a matrix of each shape of the UNet is
approximated at rank 32, as `lora extract` does it, and by a full SVD, both on one thread; times are
multiplied by how many matrices have the shape. `--record` writes lora.json and a table to
benchmarks/README.md; `--quick` takes LoRAs of rank 4 and one shape.
"""

# torch does not type its linear algebra
# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false
# pyright: reportUnknownArgumentType=false, reportUnknownLambdaType=false

from __future__ import annotations

import math
import sys
import time
from collections import Counter
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, TypeVar

import torch
from torch import Tensor

from benchmarks.full_size import run_watched
from benchmarks.report import benchmark, put_figures
from sdmerge.adapters.lora.origin import own_specs
from sdmerge.bounds import Bounds
from sdmerge.families import FAMILIES
from sdmerge.lowrank import one_thread
from sdmerge.plan.lora import is_matrix
from sdmerge.sketch import approximate, squared_distance
from sdmerge.tensors.spec import TensorSpec
from sdmerge.tensors.writer import SafetensorsWriter

T = TypeVar("T")
RANK, EXTRACTED = 64, 32
QUICK = 4
Shape = tuple[int, int]


def main() -> None:
    """Run the benchmark as the options say."""
    part = {"choices": ("merging", "extracting"), "help": "both by default"}
    benchmark(__doc__, measure, lambda figures: put_figures("lora", figures), more={"part": part})


def measure(options: Any) -> dict[str, float]:
    """The parts that are asked for."""
    figures: dict[str, float] = {}
    if options.part != "extracting":
        figures |= merging(options.folder, QUICK if options.quick else RANK)
    if options.part != "merging":
        figures |= extracting(1 if options.quick else None)
    return figures


def merging(folder: Path, rank: int) -> Mapping[str, float]:
    """Seconds and memory of a merge by TIES, and of a sum, which goes by factors."""
    loras = [
        random_lora(folder / f"{name}-{rank}.safetensors", rank, seed)
        for seed, name in enumerate("ab")
    ]
    figures: dict[str, float] = {}
    for method in ("ties", "task_arithmetic"):
        target = folder / "merged.safetensors"
        command = [sys.executable, "-m", "sdmerge", "lora", "merge", *map(str, loras)]
        command += ["--method", method, "--rank", str(rank), "-o", str(target)]
        seconds, peak, report = run_watched([*command, "--force", "--json"])
        figures[f"{method} of two: modules"] = len(report["modules"])
        figures[f"{method} of two: seconds"] = round(seconds, 1)
        figures[f"{method} of two: peak anonymous GB"] = round(peak / 1e9, 2)
    return figures


def random_lora(path: Path, rank: int, seed: int) -> Path:
    """A LoRA of every linear layer of the UNet's transformers."""
    if path.exists():
        return path
    family = FAMILIES.get("sdxl")
    keys = [key for key in own_specs(family) if ".attentions." in key and key.startswith("unet.")]
    source, specs = torch.Generator().manual_seed(seed), own_specs(family)
    shapes: dict[str, TensorSpec] = {}
    for key in keys:
        if is_matrix(key, specs[key].shape):
            name, rows = key.removesuffix(".weight"), specs[key].shape[0]
            columns = specs[key].numel // rows
            shapes[f"{name}.lora_A.weight"] = TensorSpec("F16", (rank, columns))
            shapes[f"{name}.lora_B.weight"] = TensorSpec("F16", (rows, rank))
    with SafetensorsWriter(path, shapes, {}) as writer:
        for name, spec in shapes.items():
            writer.write(name, (torch.randn(spec.numel, generator=source) / 50).half())
    return path


def extracting(most: int | None) -> Mapping[str, float]:
    """Seconds for all matrices of the UNet, or of its `most` smallest shapes, here and by a full
    SVD, and how near both come.
    """
    shapes: Counter[Shape] = Counter()
    for key, spec in own_specs(FAMILIES.get("sdxl")).items():
        if key.startswith("unet.") and is_matrix(key, spec.shape):
            shapes[spec.shape[0], spec.numel // spec.shape[0]] += 1
    ours = full = 0.0
    excess = 1.0
    for shape in sorted(shapes, key=math.prod)[:most]:
        count = shapes[shape]
        matrix = decaying(shape)
        seconds, found = timed(lambda matrix=matrix: approximate(matrix, Bounds(rank=EXTRACTED)))
        ours += count * seconds
        seconds, sigma = timed(lambda matrix=matrix: torch.linalg.svd(matrix, full_matrices=False))
        full += count * seconds
        if min(shape) > EXTRACTED:  # a narrower one is kept whole
            least = float(sigma[1][EXTRACTED:].double().square().sum())
            excess = max(excess, (squared_distance(matrix, found) / least) ** 0.5)
    return {
        "extracting: matrices": shapes.total(),
        "extracting: seconds": round(ours, 1),
        "extracting: seconds of full SVDs": round(full, 1),
        "extracting: times faster": round(full / ours, 1),
        "extracting: largest error over the least possible": round(excess, 4),
    }


def decaying(shape: Shape) -> Tensor:
    """A change like that of a fine-tune: a low rank that fades, and noise."""
    source = torch.Generator().manual_seed(shape[0] + 7 * shape[1])
    rank = min(256, *shape)
    up, down = torch.randn(shape[0], rank, generator=source), torch.randn(rank, shape[1])
    strength = torch.arange(1.0, rank + 1) ** -0.7
    return (up * strength) @ down + 0.3 * torch.randn(shape, generator=source)


@one_thread()
def timed(work: Callable[[], T]) -> tuple[float, T]:
    """Seconds, and what came of it."""
    begin = time.perf_counter()
    made = work()
    return time.perf_counter() - begin, made


if __name__ == "__main__":
    main()
