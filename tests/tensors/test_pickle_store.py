from __future__ import annotations

import os
import pickle
import sys
import types
import zipfile
from collections import OrderedDict, defaultdict
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from sdmerge.errors import CorruptFile, FileError, SdmergeError
from sdmerge.tensors.spec import TensorSpec
from sdmerge.tensors.store import open_store

from .make import same_bits


class Runs:
    """A pickle of it runs a command, were it obeyed."""

    def __init__(self, function: Any, *arguments: object) -> None:
        self.call = (function, arguments)

    def __reduce__(self) -> Any:
        return self.call


def saved(path: Path, content: object, **options: Any) -> Path:
    torch.save(content, path, **options)
    return path


def tensors_of(path: Path) -> dict[str, Tensor]:
    store = open_store(path, allow_pickle=True)
    return {name: store.read(name).view(spec.shape) for name, spec in store.specs.items()}


WEIGHTS = {"a": torch.arange(6.0).reshape(2, 3), "b": torch.ones(2, dtype=torch.bfloat16)}


@pytest.mark.parametrize("suffix", [".ckpt", ".pt", ".pth", ".bin", ".CKPT"])
def test_not_without_permission(tmp_path: Path, suffix: str) -> None:
    path = saved(tmp_path / f"x{suffix}", WEIGHTS)
    with pytest.raises(FileError, match=r"which can run code(.|\n)*--allow-pickle(.|\n)*convert"):
        open_store(path)
    assert tensors_of(path).keys() == WEIGHTS.keys()


@pytest.mark.parametrize("zipped", [True, False])
def test_tensors_as_they_were_saved(tmp_path: Path, zipped: bool) -> None:
    big = torch.randn(40, 30)
    weights = {
        "shared.whole": big,
        "shared.part": big[3:7],
        "transposed": big.t(),
        "every.second": big[::2, ::3],
        "expanded": torch.ones(3, 1).expand(3, 4),
        "scalar": torch.tensor(3.0, dtype=torch.float16),
        "empty": torch.zeros(0),
        "flag": torch.tensor([True, False]),
        "parameter": torch.nn.Parameter(torch.randn(3)),
    }
    if zipped:  # torch's old format knows no newer dtypes
        weights["fp8"] = torch.randn(5).to(torch.float8_e4m3fn)
    path = saved(tmp_path / "x.pt", weights, _use_new_zipfile_serialization=zipped)
    store = open_store(path, allow_pickle=True)
    assert store.specs["transposed"] == TensorSpec("F32", (30, 40))
    assert (store.files, store.metadata) == ((path,), {})
    for name, tensor in weights.items():
        flat = tensor.detach().reshape(-1)
        assert same_bits(store.read(name), flat), name
        for start in range(0, flat.numel(), 7):
            stop = min(start + 7, flat.numel())
            assert same_bits(store.read(name, start, stop), flat[start:stop]), name


def test_what_is_read_is_the_readers_own_and_goes_with_the_store(tmp_path: Path) -> None:
    path = saved(tmp_path / "x.pt", WEIGHTS)
    store = open_store(path, allow_pickle=True)
    store.read("a").zero_()
    assert same_bits(store.read("a"), WEIGHTS["a"])
    store.close()
    with pytest.raises(SdmergeError, match="after it was closed"):
        store.read("a")


@pytest.mark.parametrize(
    "wrapped",
    [
        {"state_dict": WEIGHTS, "epoch": torch.tensor(3)},
        {"model": {"state_dict": OrderedDict(WEIGHTS)}, "optimizer": {"state": {0: WEIGHTS}}},
        {"params_ema": WEIGHTS, "step": 3},
        {**WEIGHTS, "version": "1.0", "global_step": 5},
    ],
)
def test_wrappers(tmp_path: Path, wrapped: object) -> None:
    assert tensors_of(saved(tmp_path / "x.ckpt", wrapped)).keys() == WEIGHTS.keys()


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ({"ema": WEIGHTS, "live": WEIGHTS}, "several sets of tensors: ema, live"),
        ({"epoch": 3}, "holds no tensors"),
        ([torch.zeros(1)], "holds a list"),
        ({"a": torch.zeros(2, dtype=torch.complex128)}, "'a' is torch.complex128"),
        ({"a": torch.zeros(2, 2).to_sparse()}, "'a' is not a plain dense tensor"),
    ],
)
def test_content_that_is_no_state_dict(tmp_path: Path, content: object, message: str) -> None:
    with pytest.raises(FileError, match=message):
        open_store(saved(tmp_path / "x.pt", content), allow_pickle=True)


def fake_class(monkeypatch: pytest.MonkeyPatch, module: str, name: str, *bases: type) -> Any:
    """A class that seems to come from a package that is not installed."""
    for depth in range(module.count(".") + 1):
        part = ".".join(module.split(".")[: depth + 1])
        monkeypatch.setitem(sys.modules, part, types.ModuleType(part))
    cls = type(name, bases or (object,), {"__module__": module, "__qualname__": name})
    setattr(sys.modules[module], name, cls)
    return cls


@pytest.mark.parametrize("zipped", [True, False])
def test_what_trainers_leave_is_passed_over(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, zipped: bool
) -> None:
    callback = fake_class(monkeypatch, "pytorch_lightning.callbacks.model_checkpoint", "Checkpoint")
    attributes = fake_class(monkeypatch, "lightning.fabric.utilities.data", "AttributeDict", dict)
    config = fake_class(monkeypatch, "omegaconf.dictconfig", "DictConfig")
    filled = config()
    filled.content = {"lr": 1e-4}
    content = {
        "state_dict": WEIGHTS,
        "callbacks": {callback: {"best": np.float64(1.0), "scores": np.zeros(3)}},
        "hyper_parameters": attributes(lr=np.float32(0.1)),
        "config": filled,
        "counts": defaultdict(int, {"a": 3}),
        "folder": Path("somewhere"),
    }
    path = saved(tmp_path / "x.ckpt", content, _use_new_zipfile_serialization=zipped)
    monkeypatch.undo()
    allowed = len(torch.serialization.get_safe_globals())
    read = tensors_of(path)
    assert all(same_bits(read[name], WEIGHTS[name]) for name in WEIGHTS)
    assert len(torch.serialization.get_safe_globals()) == allowed
    assert not any(name.startswith("pytorch_lightning") for name in sys.modules)


@pytest.mark.parametrize("zipped", [True, False])
@pytest.mark.parametrize(
    ("function", "name"),
    [(os.system, f"{os.name}.system"), (eval, "eval"), (os.getcwd, f"{os.name}.getcwd")],
)
def test_nothing_runs(tmp_path: Path, function: Any, name: str, zipped: bool) -> None:
    trace = tmp_path / "it-ran"
    command = f"touch {trace}" if function is os.system else f"open({str(trace)!r}, 'w')"
    content = {
        "state_dict": WEIGHTS,
        "evil": Runs(function, *([command] * (function != os.getcwd))),
    }
    path = saved(tmp_path / "x.ckpt", content, _use_new_zipfile_serialization=zipped)
    with pytest.raises(FileError, match=f"refers to {name}, which is neither"):
        open_store(path, allow_pickle=True)
    assert not trace.exists()


def test_stand_ins_call_nothing_either(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    function = fake_class(monkeypatch, "pytorch_lightning.run", "command")
    content = {"state_dict": WEIGHTS, "evil": Runs(function)}
    path = saved(tmp_path / "x.ckpt", content)
    monkeypatch.delattr(sys.modules["pytorch_lightning.run"], "command")
    assert tensors_of(path).keys() == WEIGHTS.keys()


def test_whole_objects_are_refused_by_name(tmp_path: Path) -> None:
    with pytest.raises(FileError, match=r"torch\.nn\.modules\.linear\.Linear(.|\n)*state_dict"):
        open_store(saved(tmp_path / "x.pt", torch.nn.Linear(2, 2)), allow_pickle=True)


def test_pickles_that_are_none(tmp_path: Path) -> None:
    good = saved(tmp_path / "x.ckpt", WEIGHTS).read_bytes()
    old = saved(tmp_path / "x.ckpt", WEIGHTS, _use_new_zipfile_serialization=False).read_bytes()
    for content in (
        b"",
        b"PK",
        b"PK\x03\x04",
        b"nonsense" * 9,
        good[:-99],
        good[:50],
        old[:-9],
        old[:60],
    ):
        (tmp_path / "y.ckpt").write_bytes(content)
        with pytest.raises(CorruptFile):
            open_store(tmp_path / "y.ckpt", allow_pickle=True)
    (tmp_path / "y.ckpt").write_bytes(pickle.dumps({"a": 1}, protocol=4))
    with pytest.raises(CorruptFile):
        open_store(tmp_path / "y.ckpt", allow_pickle=True)


def test_compressed_zips_are_refused(tmp_path: Path) -> None:
    path = saved(tmp_path / "x.ckpt", WEIGHTS)
    with (
        zipfile.ZipFile(path) as archive,
        zipfile.ZipFile(tmp_path / "y.ckpt", "w", zipfile.ZIP_DEFLATED) as smaller,
    ):
        for name in archive.namelist():
            smaller.writestr(name, archive.read(name))
    with pytest.raises(FileError, match="compressed zip"):
        open_store(tmp_path / "y.ckpt", allow_pickle=True)


def test_threads_open_and_read_at_once(tmp_path: Path) -> None:
    paths = [saved(tmp_path / f"{i}.ckpt", {**WEIGHTS, "n": np.float64(i)}) for i in range(8)]
    with ThreadPoolExecutor(8) as pool:
        for read in pool.map(tensors_of, paths):
            assert same_bits(read["a"], WEIGHTS["a"])
