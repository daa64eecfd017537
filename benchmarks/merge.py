"""How long a merge takes, as a multiple of reading and writing alone, and against other tools.

`python -m benchmarks.merge --folder DIR --record` makes random SD1 checkpoints (1.07 billion
parameters, half precision) in DIR, merges them by turns with our methods, with mergekit and with
sd-mecha (installed from PyPI into environments of their own there), and compares medians. Then it
grows the number of models and their size. Needs 30 GB of disk and about an hour; `--part` does one
of the three, and a record keeps the others. `--quick` does the same with small files and without
the other tools.
"""

from __future__ import annotations

import json
import os
import shutil
import statistics
import subprocess
import sys
import time
from collections import defaultdict
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import psutil

from benchmarks.full_size import anonymous
from benchmarks.merge_report import record
from benchmarks.peers import Peer, command, install
from benchmarks.random_files import make_models, plain_specs, sd1_specs
from benchmarks.report import benchmark

OURS = (
    "linear", "task_arithmetic", "ties", "dare_linear", "dare_ties", "della", "breadcrumbs",
    "model_stock",
)  # fmt: skip
PARTS = ("methods", "models", "size")
PEERS = ("mergekit", "sd-mecha")
Run = dict[str, float]


def main() -> None:
    """Run the benchmark as the options say."""
    more = {
        "rounds": {"type": int, "default": 5, "help": "how often each of ours runs"},
        "peer-rounds": {"type": int, "default": 1, "help": "how often the other tools run"},
        "part": {"action": "append", "choices": PARTS, "help": "all of them by default"},
    }
    benchmark(__doc__, measure, record, more=more)


def measure(options: Any) -> dict[str, Any]:
    """The parts that are asked for."""
    folder: Path = options.folder
    parts = options.part or PARTS
    figures: dict[str, Any] = {}
    if "methods" in parts:
        peers = [] if options.quick else [install(name, folder) for name in PEERS]
        figures["peers"] = {peer.name: peer.version or peer.trouble for peer in peers}
        figures["methods"] = compare(folder / "sd1", options, peers)
    if "models" in parts:
        figures["models"] = grow_models(folder, options)
    if "size" in parts:
        figures["size"] = grow_size(folder, options)
    return figures


def compare(folder: Path, options: Any, peers: Sequence[Peer]) -> dict[str, Run]:
    """Every method and tool by turns on four files (slerp: two), against the floor of its round."""
    models = make_models(folder, sd1_specs("tiny" if options.quick else "full"), 4)
    out = folder / "out.safetensors"
    runs: defaultdict[str, list[Run]] = defaultdict(list)
    for turn in range(options.rounds):
        runs["floor"].append(ours("floor", out, models))
        for name in OURS:
            runs[name].append(ours(name, out, models))
        runs["floor of two"].append(ours("floor", out, models[:2]))
        runs["slerp"].append(ours("slerp", out, models[:2]))
        if turn < options.peer_rounds:
            for peer in (peer for peer in peers if not peer.trouble):
                for name in ("linear", "ties"):
                    line = command(peer, name, out, models)
                    runs[f"{peer.name} {name}"].append(watched(line, out))
    floors = {name: "floor of two" if name == "slerp" else "floor" for name in runs}
    found = {name: summary(own, runs[floors[name]]) for name, own in runs.items()}
    shutil.rmtree(folder)
    return found


def grow_models(folder: Path, options: Any) -> dict[str, dict[str, float]]:
    """Seconds with 2, 4 and 8 models of half a billion parameters."""
    size = 0.02e9 if options.quick else 0.5e9
    models = make_models(folder / "many", plain_specs(size), 8)
    sets = {n: models[:n] for n in (2, 4, 8)}
    found = _grow(models[0].with_name("out.safetensors"), sets, options.rounds)
    shutil.rmtree(folder / "many")
    return found


def grow_size(folder: Path, options: Any) -> dict[str, dict[str, float]]:
    """Seconds with two models of more and more parameters."""
    found: dict[str, dict[str, float]] = {}
    for billions in (0.01, 0.02) if options.quick else (0.1, 0.5, 1.3, 2.6):
        models = make_models(folder / "size", plain_specs(billions * 1e9), 2)
        out = models[0].with_name("out.safetensors")
        found |= _grow(out, {billions: models}, options.rounds)
        shutil.rmtree(folder / "size")
    return found


def _grow(out: Path, sets: dict[Any, list[Path]], rounds: int) -> dict[str, dict[str, float]]:
    return {
        str(size): {
            name: statistics.median(ours(name, out, models)["seconds"] for _ in range(rounds))
            for name in ("floor", "linear", "ties")
        }
        for size, models in sets.items()
    }


def summary(own: Sequence[Run], floor: Sequence[Run]) -> Run:
    """Medians, and the median of the ratios to the floor of the same round."""
    names = own[0].keys()
    ratios = [one["seconds"] / other["seconds"] for one, other in zip(own, floor, strict=False)]
    return {
        **{name: round(statistics.median(one[name] for one in own), 2) for name in names},
        "ratio": round(statistics.median(ratios), 2),
    }


def ours(method: str, out: Path, models: Sequence[Path]) -> Run:
    """One run of ours, or of the floor."""
    line = [sys.executable, "-m", "benchmarks.worker", method, str(out), *map(str, models)]
    return watched(line, out)


def watched(line: list[str], out: Path) -> Run:
    """What the command prints last, and the peak of its anonymous memory in GB."""
    os.sync()  # what earlier runs wrote is not this one's work
    with (out.with_suffix(".log")).open("w+") as log:
        process = subprocess.Popen(line, stdout=log, stderr=log)
        peak = _peak(psutil.Process(process.pid), process.poll)
        log.seek(0)
        said = log.read()
    if process.returncode:
        raise SystemExit(f"{line[:4]} failed:\n{said[-2000:]}")
    for left in (out, out.with_suffix(".yaml")):
        left.unlink(missing_ok=True)
    shutil.rmtree(out.with_suffix(""), ignore_errors=True)
    found: Run = json.loads(said.strip().splitlines()[-1])
    return {**found, "gigabytes": peak / 1e9}


def _peak(process: psutil.Process, ended: Callable[[], int | None]) -> int:
    peak = 0
    while ended() is None:
        peak = max(peak, anonymous(process))
        time.sleep(0.05)
    return peak


if __name__ == "__main__":
    main()
