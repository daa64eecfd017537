"""One measured run in a process of its own: `python -m benchmarks.worker METHOD OUT MODEL…`.

METHOD is one of ours, or `floor`: the same reader and writer with no arithmetic between them. The
first model is the base, where the method has one. Prints seconds as JSON; imports do not count.
"""

from __future__ import annotations

import json
import os
import sys
import time
from collections import deque
from collections.abc import Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path

import torch
from torch import Tensor

from sdmerge.engine import SLAB
from sdmerge.merge import run
from sdmerge.plan import plan
from sdmerge.recipe import recipe_from_data
from sdmerge.sinks import FileSink
from sdmerge.tensors.dtypes import TORCH
from sdmerge.tensors.safetensors_store import SafetensorsStore
from sdmerge.tensors.writer import SafetensorsWriter

PARAMETERS: Mapping[str, Mapping[str, float]] = {
    "slerp": {"t": 0.3},
    "ties": {"density": 0.2},
    "dare_linear": {"density": 0.2},
    "dare_ties": {"density": 0.2},
}
WITHOUT_BASE = ("linear", "slerp")


def main(method: str, target: Path, models: Sequence[Path]) -> None:
    """Run and print."""
    seconds = floor(target, models) if method == "floor" else merged(method, target, models)
    print(json.dumps({**seconds, "processor": round(time.process_time(), 2)}))  # noqa: T201


def floor(target: Path, models: Sequence[Path]) -> dict[str, float]:
    """Read every tensor of every model slab by slab, and write the last model's."""
    begin = time.perf_counter()
    stores = [SafetensorsStore(path) for path in models]
    specs = stores[0].specs

    def read(name: str) -> Tensor:
        dtype = TORCH[specs[name].dtype]
        out, slab = torch.empty(specs[name].numel, dtype=dtype), torch.empty(SLAB, dtype=dtype)
        for start in range(0, out.numel(), SLAB):
            stop = min(start + SLAB, out.numel())
            for store in stores[:-1]:
                store.filler(name).fill(slab[: stop - start], start)
            stores[-1].filler(name).fill(out[start:stop], start)
        return out

    waiting: deque[tuple[str, Future[Tensor]]] = deque()
    with (
        SafetensorsWriter(target, specs, {"hash": ""}, "hash") as writer,
        ThreadPoolExecutor(os.cpu_count()) as pool,
    ):
        for name in specs:
            waiting.append((name, pool.submit(read, name)))
            if len(waiting) > 8:
                first, future = waiting.popleft()
                writer.write(first, future.result())
        for first, future in waiting:
            writer.write(first, future.result())
    return {"seconds": time.perf_counter() - begin}


def merged(method: str, target: Path, models: Sequence[Path]) -> dict[str, float]:
    """Merge with `method`; the inputs are hashed before, which is timed apart."""
    data = {
        "merge_method": method,
        "models": [{"model": str(path)} for path in models[method not in WITHOUT_BASE :]],
        "parameters": dict(PARAMETERS.get(method, {})),
    }
    if method not in WITHOUT_BASE:
        data["base_model"] = str(models[0])
    begin = time.perf_counter()
    planned = plan(recipe_from_data(data, "benchmark"))
    planning = time.perf_counter()
    _ = planned.hashes
    hashed = time.perf_counter()
    run(planned, FileSink(target))
    done = time.perf_counter()
    return {"seconds": planning - begin + done - hashed, "hashing": hashed - planning}


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]), [Path(name) for name in sys.argv[3:]])
