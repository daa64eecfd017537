"""Tiny models, files broken on purpose, and the command line, for tests from end to end.

Models are written once per process and only read afterwards: a test that changes one copies it.
"""

from __future__ import annotations

import atexit
import contextlib
import functools
import io
import json
import os
import shutil
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors import safe_open
from safetensors.torch import load_file, save_file
from torch import Tensor

from sdmerge.adapters import MappedSource, open_model
from sdmerge.cli.main import run
from sdmerge.families import SINGLE_FILE
from sdmerge.merge import run as run_plan
from sdmerge.plan import Plan, plan
from sdmerge.recipe import recipe_from_data
from sdmerge.sinks import DictSink
from sdmerge.testing import random_model

ROOT = Path(__file__).resolve().parents[1]
SAMPLES = ROOT / "samples" / "models"
FOLDER = Path(tempfile.mkdtemp(prefix="sdmerge-tests-"))
atexit.register(shutil.rmtree, FOLDER, ignore_errors=True)

# neither the user's own workspace nor a hub takes part in a test
os.environ["SDMERGE_WORKSPACE"] = str(FOLDER / "workspace")
os.environ["HF_HUB_OFFLINE"] = "1"

Data = dict[str, Any]
Tensors = Mapping[str, Tensor]


@functools.cache
def model(
    family: str = "sd1",
    seed: int = 1,
    layout: str = SINGLE_FILE,
    *,
    components: tuple[str, ...] = (),
    dtype: str = "float16",
    variant: str = "",
) -> Path:
    """A random model; all seeds of a family are fine-tunes of seed 0."""
    words = [family, *components, dtype, variant, str(seed)]
    suffix = ".safetensors" if layout == SINGLE_FILE else ""
    made = random_model(
        FOLDER / layout / f"{'-'.join(filter(None, words))}{suffix}",
        family,
        layout,
        dtype=dtype,
        scale="tiny",
        seed=seed,
        components=components or None,
        perturb_of=0 if seed else None,
        variant=variant,
    )
    for tokenizer in made.glob("tokenizer*"):
        # CLIP's own takes seconds to load, this one has but a thousand words
        shutil.rmtree(tokenizer)
        copy(SAMPLES / "base" / "tokenizer", tokenizer)
    return made


def words(seed: int = 1, dtype: str = "float16") -> Path:
    """The smallest model of a known family: SD1's text encoder alone, of more than one slab."""
    return model("sd1", seed, components=("text_encoder",), dtype=dtype)


def unet(seed: int = 1) -> Path:
    """SD1's UNet alone, with all its blocks."""
    return model("sd1", seed, components=("unet",))


def save(path: Path, tensors: Tensors, metadata: Mapping[str, str] | None = None) -> Path:
    """A .safetensors file, written by the reference library."""
    path.parent.mkdir(parents=True, exist_ok=True)
    save_file({name: tensor.contiguous() for name, tensor in tensors.items()}, path, metadata)
    return path


def load(path: Path) -> dict[str, Tensor]:
    """The tensors of a file, or of a diffusers folder with its subfolders' names before them."""
    if path.is_file():
        return load_file(path)
    found: dict[str, Tensor] = {}
    for file in sorted(path.rglob("*.safetensors")):
        part = file.parent.relative_to(path).as_posix()
        head = "" if part == "." else f"{part}."
        found.update({f"{head}{name}": tensor for name, tensor in load_file(file).items()})
    return found


def edited(path: Path, to: Path, **changes: Tensor | None) -> Path:
    """A copy of a file with tensors replaced, added, or (None) removed."""
    kept = {name: t for name, t in {**load(path), **changes}.items() if t is not None}
    return save(to, kept, metadata(path))


def metadata(path: Path) -> dict[str, str]:
    """What a file says of itself."""
    with safe_open(path, framework="pt") as file:
        return file.metadata() or {}


def copy(path: Path, to: Path) -> Path:
    """A copy of a file or a folder at `to`."""
    to.parent.mkdir(parents=True, exist_ok=True)
    return Path(shutil.copytree(path, to) if path.is_dir() else shutil.copyfile(path, to))


def parts(path: Path) -> tuple[Data, int]:
    """A file's header as JSON, and where its data begin."""
    raw = path.read_bytes()
    length = int.from_bytes(raw[:8], "little")
    return json.loads(raw[8 : 8 + length]), 8 + length


def place(path: Path, name: str, element: int = -1) -> tuple[int, int]:
    """The bytes [begin, end) of one element of a tensor, as they lie in the file."""
    header, start = parts(path)
    begin, end = (start + offset for offset in header[name]["data_offsets"])
    size = (end - begin) // int(np.prod(header[name]["shape"], dtype=int))
    at = end + element * size if element < 0 else begin + element * size
    return at, at + size


def overwrite(path: Path, name: str, value: float, element: int = -1) -> None:
    """Put `value` into one element of a float16 or float32 tensor, in the file itself."""
    begin, end = place(path, name, element)
    raw = np.array(value, dtype={2: np.float16, 4: np.float32}[end - begin]).tobytes()
    with path.open("r+b") as file:
        file.seek(begin)
        file.write(raw)


def flip_bit(path: Path, name: str, element: int = -1, *, sign: bool = False) -> None:
    """Turn over the lowest bit of one element of a tensor, or its sign, in the file itself."""
    begin, end = place(path, name, element)
    at, mask = (end - 1, 0x80) if sign else (begin, 1)
    with path.open("r+b") as file:
        file.seek(at)
        byte = file.read(1)[0]
        file.seek(at)
        file.write(bytes([byte ^ mask]))


def listing(folder: Path) -> list[str]:
    """Every file and folder below `folder`."""
    return sorted(item.relative_to(folder).as_posix() for item in folder.rglob("*"))


@dataclass(frozen=True)
class Said:
    """What a command said: its exit code, its data and its talk."""

    code: int
    out: str
    err: str

    @property
    def data(self) -> Any:
        """Standard output as one JSON value."""
        return json.loads(self.out)


def cli(*arguments: object) -> Said:
    """The command line, in this process."""
    out, err = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        code = run([str(argument) for argument in arguments])
    return Said(code, out.getvalue(), err.getvalue())


def planned(data: Data | Sequence[Data], folder: Path | None = None) -> Plan:
    """The plan of a recipe given as data."""
    return plan(recipe_from_data(data, "test", folder))


def merged(data: Data | Sequence[Data] | Plan, **options: Any) -> dict[str, Tensor]:
    """The result of a merge, by canonical key."""
    sink = DictSink()
    run_plan(data if isinstance(data, Plan) else planned(data), sink, **options)
    return sink.tensors


def canonical(path: Path) -> dict[str, Tensor]:
    """A model's tensors by canonical key, flat."""
    source = open_model(path)
    assert isinstance(source, MappedSource)
    return {key: source.read(key) for key in source.specs}


def same(first: Tensors, second: Tensors) -> bool:
    """Whether both hold the same tensors, bit for bit, whatever their shapes."""
    return first.keys() == second.keys() and all(
        tensor.dtype == second[name].dtype and torch.equal(raw(tensor), raw(second[name]))
        for name, tensor in first.items()
    )


def raw(tensor: Tensor) -> Tensor:
    """The bytes of a tensor."""
    return tensor.detach().reshape(-1).contiguous().view(torch.uint8)


def recipe(path: Path, text: str) -> Path:
    """A recipe file."""
    path.write_text(text, "utf-8")
    return path
