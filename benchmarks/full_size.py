"""Merge two full-size SDXL checkpoints and a LoRA by TIES: time, memory, and does it load?

`python -m benchmarks.full_size --folder DIR` makes random checkpoints from SDXL's real config (a
single file and a diffusers folder, 6.9 GB each) and a random LoRA in DIR, copies one of them to
know the disk, merges all three in a process of its own while its anonymous memory is watched, and
loads the result with diffusers. `--record` writes the figures to benchmarks/full_size.json and a
table to benchmarks/README.md. Needs 28 GB of disk; `--quick` does the same with a tiny model.
"""

from __future__ import annotations

import json
import platform
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import psutil

from benchmarks.report import benchmark, put_figures

CHUNK = 16 << 20


def main() -> None:
    """Run the benchmark as the options say."""
    benchmark(
        __doc__,
        lambda options: measure(options.folder, "tiny" if options.quick else "full"),
        lambda figures: put_figures("full_size", figures),
    )


def measure(folder: Path, scale: str) -> dict[str, Any]:
    """The figures of one run, in GB (10⁹ bytes) and seconds. Models that are there stay."""
    single, parts, lora = make_inputs(folder, scale)
    target = folder / "merged"
    shutil.rmtree(target, ignore_errors=True)
    copy_seconds = timed_copy(single, folder / "copy.bin")
    workspace = folder / "workspace"
    shutil.rmtree(workspace, ignore_errors=True)
    recipe = write_recipe(folder, single, parts, lora)
    command = [sys.executable, "-m", "sdmerge", "--workspace", str(workspace), "merge", str(recipe)]
    command += ["-o", str(target), "--json"]
    first_seconds, peak, report = run_watched(command)
    # the second run finds the inputs' hashes in the workspace: the merge alone
    shutil.rmtree(target)
    merge_seconds, second_peak, _ = run_watched(command)
    moved = report["read_bytes"] + report["write_bytes"]
    return {
        "processor": platform.processor() or platform.machine(),
        "model_gb": round(single.stat().st_size / 1e9, 2),
        "tensors": report["merged"] + report["copied"],
        "copy_seconds": round(copy_seconds, 1),
        "hash_seconds": round(first_seconds - merge_seconds, 1),
        "merge_seconds": round(merge_seconds, 1),
        "merge_to_copy": round(merge_seconds / copy_seconds, 2),
        "read_and_written_gb_per_second": round(moved / 1e9 / merge_seconds, 2),
        "peak_anonymous_gb": round(max(peak, second_peak) / 1e9, 2),
        "loads_in_diffusers": loads(target),
    }


def make_inputs(folder: Path, scale: str) -> tuple[Path, Path, Path]:
    """A single file, a folder and a LoRA, random but alike, as fine-tunes are."""
    from sdmerge.testing import random_lora, random_model

    folder.mkdir(parents=True, exist_ok=True)
    single, parts, lora = folder / "a.safetensors", folder / "b", folder / "lora.safetensors"
    if not single.exists():
        random_model(single, "sdxl", layout="single-file", scale=scale, seed=1)
    if not parts.exists():
        random_model(parts, "sdxl", layout="diffusers", scale=scale, seed=2)
    if not lora.exists():
        random_lora(lora, single, rank=16, alpha=8, seed=3)
    return single, parts, lora


def write_recipe(folder: Path, single: Path, parts: Path, lora: Path) -> Path:
    """TIES of the folder and the LoRA on the single file."""
    recipe = folder / "recipe.yaml"
    lines = [
        "merge_method: ties",
        f"base_model: {single.name}",
        "models:",
        f"  - model: {parts.name}",
        f"  - model: {lora.name}",
        "parameters: {density: 0.3}",
    ]
    recipe.write_text("\n".join([*lines, ""]), "utf-8")
    return recipe


def timed_copy(source: Path, target: Path) -> float:
    """Seconds to read three times and write once what `source` holds, as the merge has to."""
    begin = time.monotonic()
    with target.open("wb") as out:
        for _ in range(2):
            with source.open("rb") as file:
                while file.read(CHUNK):
                    pass
        with source.open("rb") as file:
            while chunk := file.read(CHUNK):
                out.write(chunk)
    seconds = time.monotonic() - begin
    target.unlink()
    return seconds


def run_watched(command: list[str]) -> tuple[float, int, dict[str, Any]]:
    """Seconds, peak anonymous bytes and the printed JSON of a command in a process of its own."""
    begin = time.monotonic()
    peak = 0
    # a file, as a pipe that nobody reads while the process runs would stop it when it is full
    with tempfile.TemporaryFile("w+") as output:
        process = subprocess.Popen(command, stdout=output)
        watched = psutil.Process(process.pid)
        while process.poll() is None:
            peak = max(peak, anonymous(watched))
            time.sleep(0.1)
        if process.returncode:
            raise SystemExit(f"the merge failed with {process.returncode}")
        seconds = time.monotonic() - begin
        output.seek(0)
        return seconds, peak, json.load(output)


def anonymous(process: psutil.Process) -> int:
    """Resident bytes that no file backs; elsewhere than on Linux, all that only it has."""
    try:
        status = Path(f"/proc/{process.pid}/status")
        if status.exists():
            lines = dict(line.split(":", 1) for line in status.read_text().splitlines())
            return int(lines["RssAnon"].split()[0]) << 10
        return process.memory_full_info().uss
    except (psutil.Error, OSError, KeyError):
        return 0


def loads(folder: Path) -> bool:
    """Whether plain diffusers loads the folder, every tensor in its place."""
    import torch
    from diffusers import DiffusionPipeline

    pipeline = DiffusionPipeline.from_pretrained(str(folder), torch_dtype=torch.float16)
    return all(not parameter.is_meta for parameter in pipeline.unet.parameters())


if __name__ == "__main__":
    main()
