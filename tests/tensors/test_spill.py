"""Spills: written key by key, read one at a time."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from sdmerge.errors import CorruptFile
from sdmerge.tensors.spill import Spill, write_spill


def test_what_is_written_is_read_by_key_and_name(tmp_path: Path) -> None:
    path = tmp_path / "x.npz"
    one, two = torch.randn(3, 4), torch.arange(5)
    write_spill(path, [("a.b|c", one), ("k", {"0": two}), ("k", {"1": two + 1}), ("none", {})])
    spill = Spill(path)
    assert torch.equal(torch.as_tensor(spill.of("a.b|c")), one)
    found = spill.of("k")
    assert list(found) == ["0", "1"]
    assert torch.equal(found["1"], two + 1)
    assert spill.of("none") == spill.of("other") == {}
    spill.close()
    assert [item.name for item in tmp_path.iterdir()] == ["x.npz"]


def test_the_same_tensors_give_the_same_file(tmp_path: Path) -> None:
    for name in ("a", "b"):
        write_spill(tmp_path / name, [("k", torch.ones(3, dtype=torch.float64))])
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()


def test_what_fails_half_way_leaves_nothing(tmp_path: Path) -> None:
    def found():
        yield "k", torch.ones(3)
        raise ValueError

    with pytest.raises(ValueError):  # noqa: PT011
        write_spill(tmp_path / "x", found())
    assert not list(tmp_path.iterdir())


def test_a_broken_file_is_named(tmp_path: Path) -> None:
    path = tmp_path / "x.npz"
    write_spill(path, [("k", torch.ones(300))])
    raw = bytearray(path.read_bytes())
    raw[400] ^= 1
    path.write_bytes(raw)
    with pytest.raises(CorruptFile, match="is broken"):
        Spill(path).of("k")
    path.write_bytes(raw[:100])
    with pytest.raises(CorruptFile, match="is broken"):
        Spill(path)
