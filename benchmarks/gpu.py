"""Merging in a GPU's memory: `python -m benchmarks.gpu`.

Runs the plain bodies of linear and TIES on slabs of half-precision differences of four models, as
large as an SDXL UNet together, and gives what they read and write per second as a share of the
device's own copy bandwidth, measured in the same run. Nothing is read from or written to a disk.
"""

from __future__ import annotations

import json
import statistics
from collections.abc import Callable

import torch
from torch import Tensor

from sdmerge.methods import METHODS
from sdmerge.place import Place

ELEMENTS = 2_567_463_684  # parameters of the SDXL UNet
SLAB = 1 << 24
MODELS = 4


def main() -> None:
    """Print the figures as JSON."""
    device = torch.device("cuda")
    inputs = torch.randn(MODELS, SLAB, device=device).mul_(0.02).half()
    base = torch.randn(SLAB, device=device).half()
    out = torch.empty_like(base)
    weight = torch.ones(MODELS, 1, device=device)
    moved = (MODELS + 2) * base.nbytes
    copied = 2 * base.nbytes / seconds(lambda: out.copy_(base))
    found = {"device": torch.cuda.get_device_name(), "copy_gb_per_second": round(copied / 1e9)}
    for name, values in {
        "linear": {"weight": weight, "normalize": True},
        "ties": {"weight": weight, "density": weight / 5, "lambda": 1.0, "normalize": True,
                 "vote": "after"},
    }.items():  # fmt: skip
        took = seconds(lambda name=name, values=values: merge(name, values, inputs, base, out))
        found[f"{name}_share_of_copy"] = round(moved / took / copied, 3)
        found[f"{name}_seconds_per_unet"] = round(took * ELEMENTS / SLAB, 2)
    print(json.dumps(found, indent=1))  # noqa: T201


def merge(name: str, values: dict[str, object], inputs: Tensor, base: Tensor, out: Tensor) -> None:
    """One slab, from half precision to half precision."""
    method = METHODS[name]
    stack, below = inputs.float(), base.float()
    cut = None
    if method.spec.space == "delta":
        stack -= below
        cut = stack.abs().kthvalue(int(0.8 * SLAB), dim=1, keepdim=True).values
    merged = method.merge(stack, cut, Place(0, SLAB, (SLAB,)), None, values)
    out.copy_(below + merged if method.spec.space == "delta" else merged)


def seconds(work: Callable[[], object]) -> float:
    """Median of ten runs after two, on the device's own clock."""
    times: list[float] = []
    for _ in range(12):
        begin, end = (torch.cuda.Event(enable_timing=True) for _ in range(2))
        begin.record()
        work()
        end.record()
        torch.cuda.synchronize()
        times.append(begin.elapsed_time(end) / 1000)
    return statistics.median(times[2:])


if __name__ == "__main__":
    main()
