"""mergekit and sd-mecha, each in an environment of its own, on the files that we merge."""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

_MECHA = """
import json, sys, time, pathlib, torch, sd_mecha
from sd_mecha.extensions.builtin.merge_methods import linear
method, target, *paths = sys.argv[1:]
begin = time.perf_counter()
models = [sd_mecha.model(path) for path in paths]
if method == "linear":
    recipe = sd_mecha.n_average(*models)
else:
    deltas = [sd_mecha.subtract(model, models[0]) for model in models[1:]]
    # its own add_difference_ties wants to know the models' spaces before they are read
    recipe = linear.add_difference(models[0], sd_mecha.ties_sum(*deltas, k=0.2), alpha=1.0)
sd_mecha.merge(
    recipe, output=pathlib.Path(target), merge_dtype=torch.float32, output_dtype=torch.float16,
    strict_mandatory_keys=False, check_extra_keys=False,
)
print(json.dumps({"seconds": time.perf_counter() - begin}))
"""

_MERGEKIT = """
import json, runpy, sys, time
import torch, transformers, mergekit.scripts.merge_raw_pytorch as script
begin = time.perf_counter()
try:
    script.main(sys.argv[1:])
except SystemExit as done:
    assert not done.code, done.code
print(json.dumps({"seconds": time.perf_counter() - begin}))
"""


@dataclass(frozen=True, slots=True)
class Peer:
    """A package in an environment of its own; `trouble` says why it is not there."""

    name: str
    version: str
    python: Path
    trouble: str = ""


def install(name: str, folder: Path) -> Peer:
    """`name` from PyPI in an environment under `folder`, unless it is there already."""
    home = folder / f"env-{name}"
    python = home / "bin" / "python"
    uv = shutil.which("uv") or "uv"
    try:
        if not python.exists():
            _run(uv, "venv", "-q", "--python", sys.executable, str(home))
        _run(uv, "pip", "install", "-q", "--python", str(python), name)
        asked = f"from importlib.metadata import version; print(version({name!r}))"
        return Peer(name, _run(str(python), "-c", asked).strip(), python)
    except (OSError, subprocess.CalledProcessError) as error:
        said = getattr(error, "stderr", "") or str(error)
        return Peer(name, "", python, said.strip().splitlines()[-1][:200])


def command(peer: Peer, method: str, target: Path, models: Sequence[Path]) -> list[str]:
    """What merges `models` by `linear` or `ties` and prints its seconds last."""
    if peer.name == "sd-mecha":
        return [str(peer.python), "-c", _MECHA, method, str(target), *map(str, models)]
    recipe = target.with_suffix(".yaml")
    recipe.write_text(_mergekit_recipe(method, models), "utf-8")
    out = target.with_suffix("")
    return [str(peer.python), "-c", _MERGEKIT, str(recipe), str(out)]


def _mergekit_recipe(method: str, models: Sequence[Path]) -> str:
    base, *others = models
    merged = models if method == "linear" else others
    lines = [f"merge_method: {method}", "dtype: float32", "out_dtype: float16", "models:"]
    for path in merged:
        lines += [f"  - model: {path}", "    parameters: {weight: 1.0, density: 0.2}"]
    if method == "linear":
        lines = [line.replace(", density: 0.2", "") for line in lines]
    else:
        lines.append(f"base_model: {base}")
    return "\n".join([*lines, ""])


def _run(*arguments: str) -> str:
    done = subprocess.run(arguments, capture_output=True, text=True, check=True)
    return done.stdout
