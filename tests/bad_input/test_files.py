"""Files that are broken: the message says which and how."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from tiny import copy, listing, model, parts

from bad_input.little import LAYER, linear, refused


@pytest.mark.parametrize("kept", [0, 5, 100, -1])
def test_truncated(three: list[Path], tmp_path: Path, kept: int) -> None:
    cut = copy(three[1], tmp_path / "in" / "cut.safetensors")
    with cut.open("r+b") as file:
        file.truncate(kept if kept >= 0 else cut.stat().st_size + kept)
    said = linear(three[0], cut, out=tmp_path / "x.safetensors")
    reason = {
        0: "only 0 bytes long",
        5: "only 5 bytes long",
        100: "but only 92 bytes follow",
        -1: "is truncated: 1 of",
    }
    refused(said, str(cut), reason[kept])
    assert listing(tmp_path) == ["in", "in/cut.safetensors"]


def test_header_longer_than_the_file(three: list[Path], tmp_path: Path) -> None:
    broken = tmp_path / "in.safetensors"
    broken.write_bytes((1 << 40).to_bytes(8, "little") + three[1].read_bytes()[8:])
    said = linear(three[0], broken, out=tmp_path / "x.safetensors")
    refused(said, str(broken), f"header is {1 << 40} bytes long", "Download it again")


def test_overlapping_offsets(three: list[Path], tmp_path: Path) -> None:
    header, start = parts(three[1])
    header[LAYER.format(2)]["data_offsets"] = header[LAYER.format(1)]["data_offsets"]
    text = json.dumps(header).encode()
    broken = tmp_path / "in.safetensors"
    data = three[1].read_bytes()[start:]
    broken.write_bytes(len(text).to_bytes(8, "little") + text + data)
    said = linear(three[0], broken, out=tmp_path / "x.safetensors")
    refused(said, str(broken), f"'{LAYER.format(1)}' and '{LAYER.format(2)}' overlap")


@pytest.mark.parametrize(
    ("content", "phrase"),
    [
        (b"version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 1\n", "git lfs pull"),
        (b"<!DOCTYPE html><html><body>Log in</body></html>", "web page"),
        (b"PK\x03\x04" + bytes(60), "Rename it to .ckpt"),
    ],
)
def test_something_else_under_the_name(
    three: list[Path], tmp_path: Path, content: bytes, phrase: str
) -> None:
    fake = tmp_path / "fake.safetensors"
    fake.write_bytes(content)
    refused(linear(three[0], fake, out=tmp_path / "x.safetensors"), str(fake), phrase)


def test_folder_whose_config_is_broken(tmp_path: Path) -> None:
    folder = copy(model("sd1", 1, "diffusers", components=("text_encoder",)), tmp_path / "in")
    (folder / "text_encoder" / "config.json").write_text("{not json")
    said = linear(folder, out=tmp_path / "out")
    refused(said, str(folder / "text_encoder" / "config.json"), "not JSON")
    assert sorted(item.name for item in tmp_path.iterdir()) == ["in"]
