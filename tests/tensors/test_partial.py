from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from sdmerge.errors import FileError
from sdmerge.tensors import partial
from sdmerge.tensors.spec import TensorSpec
from sdmerge.tensors.writer import SafetensorsWriter

from .make import names_in

SPECS = {"a": TensorSpec("F32", (4,))}


def test_left_overs_of_dead_runs_are_removed_and_nothing_else(tmp_path: Path) -> None:
    dead = subprocess.Popen([sys.executable, "-c", ""])
    dead.wait()
    kept = [
        f"x.safetensors.{os.getppid()}.partial",  # alive
        f"y.safetensors.{dead.pid}.partial",  # of another output
        f"x.safetensors.{dead.pid}.partial.bak",
        "x.safetensors.partial",
    ]
    gone = [
        f"x.safetensors.{dead.pid}.partial",
        f"x.safetensors.{os.getpid()}.partial",  # an earlier process had our number
    ]
    for name in kept + gone:
        (tmp_path / name).write_bytes(b"")
    with SafetensorsWriter(tmp_path / "x.safetensors", SPECS, {}) as writer:
        writer.write("a", torch.zeros(4))
    assert names_in(tmp_path) == sorted([*kept, "x.safetensors"])


def test_a_recycled_process_number_keeps_nothing_alive(tmp_path: Path) -> None:
    left = tmp_path / f"x.{os.getppid()}.partial"
    left.write_bytes(b"")
    os.utime(left, (1, 1))  # long before that process began
    partial.remove_stale(tmp_path / "x")
    assert not left.exists()


def test_two_runs_with_one_output(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "x.safetensors"
    first = SafetensorsWriter(path, SPECS, {})
    first.write("a", torch.ones(2))
    parent = os.getppid()
    monkeypatch.setattr(os, "getpid", lambda: parent)
    with SafetensorsWriter(path, SPECS, {}) as second:
        second.write("a", torch.full((4,), 2.0))
        first.write("a", torch.ones(2), 2)
        first.commit()
        assert load_file(path)["a"].tolist() == [1.0] * 4
    assert load_file(path)["a"].tolist() == [2.0] * 4
    assert names_in(tmp_path) == ["x.safetensors"]


def test_two_tasks_of_one_process_with_one_output(tmp_path: Path) -> None:
    with SafetensorsWriter(tmp_path / "x", SPECS, {}) as writer:
        with pytest.raises(FileError, match="by another task"):
            SafetensorsWriter(tmp_path / "x", SPECS, {})
        writer.write("a", torch.zeros(4))
    assert names_in(tmp_path) == ["x"]


def test_a_link_is_replaced_where_it_stands(tmp_path: Path) -> None:
    (tmp_path / "elsewhere").mkdir()
    target = tmp_path / "elsewhere" / "x"
    target.write_bytes(b"old")
    (tmp_path / "x").symlink_to(target)
    with SafetensorsWriter(tmp_path / "x", SPECS, {}) as writer:
        writer.write("a", torch.zeros(4))
    assert target.read_bytes() == b"old"
    assert len(load_file(tmp_path / "x")) == 1
