"""Outputs that are in the way: nothing is replaced, nothing is left half."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from tiny import cli, listing, load, recipe

from bad_input.little import GOOD, LAYER, linear, refused


@pytest.mark.parametrize(
    ("out", "flags", "phrases"),
    [
        ("x.safetensors", ["--layout", "diffusers"], ["layout diffusers writes a folder"]),
        ("folder", ["--layout", "single-file"], ["single-file writes NAME.safetensors"]),
        ("x.ckpt", [], ["pickles are not written", "NAME.safetensors"]),
    ],
)
def test_name_against_layout(
    three: list[Path], tmp_path: Path, out: str, flags: list[str], phrases: list[str]
) -> None:
    refused(linear(*three[:2], out=tmp_path / out, extra=tuple(flags)), *phrases)
    assert listing(tmp_path) == []


def test_layout_of_the_recipe_against_the_name(three: list[Path], tmp_path: Path) -> None:
    text = GOOD.format(base=three[2], a=three[0]) + "output: {layout: diffusers}\n"
    said = cli("merge", recipe(tmp_path / "r.yaml", text), "-o", tmp_path / "x.safetensors")
    refused(said, "layout diffusers writes a folder", "Change -o or the layout")


def test_output_file_exists(three: list[Path], tmp_path: Path) -> None:
    out = tmp_path / "x.safetensors"
    out.write_text("mine")
    refused(linear(*three[:2], out=out), str(out), "exists already", "--force")
    assert out.read_text() == "mine"
    assert linear(*three[:2], out=out, extra=("--force",)).code == 0
    assert set(load(out)) == set(load(three[0]))
    assert listing(tmp_path) == ["x.safetensors"]


def test_output_folder_exists(three: list[Path], tmp_path: Path) -> None:
    out = tmp_path / "model"
    assert linear(three[0], out=out).code == 0
    (out / "notes.txt").write_text("of the old one")
    before = (out / "model.safetensors").read_bytes()
    refused(linear(three[1], out=out), str(out), "exists already", "--force")
    assert (out / "model.safetensors").read_bytes() == before
    assert linear(three[1], out=out, extra=("--force",)).code == 0
    assert listing(tmp_path) == ["model", "model/model.safetensors", "model/sdmerge.json"]
    assert torch.equal(load(out)[LAYER.format(0)], load(three[1])[LAYER.format(0)])


@pytest.mark.parametrize("name", ["thesis.txt", "config.json"])
def test_force_deletes_nothing_but_models(three: list[Path], tmp_path: Path, name: str) -> None:
    """Many a project has a config.json, and is no model for that."""
    precious = tmp_path / "work" / name
    precious.parent.mkdir()
    precious.write_text("{}")
    said = linear(*three[:2], out=precious.parent, extra=("--force",))
    refused(said, str(precious.parent), "not a model's folder", "choose another name")
    assert precious.read_text() == "{}"
    assert listing(tmp_path) == ["work", f"work/{name}"]


def test_a_folder_where_a_file_should_be_and_back(three: list[Path], tmp_path: Path) -> None:
    (tmp_path / "x.safetensors").mkdir()
    said = linear(*three[:2], out=tmp_path / "x.safetensors", extra=("--force",))
    refused(said, "is a folder")
    (tmp_path / "y").write_text("mine")
    refused(linear(*three[:2], out=tmp_path / "y", extra=("--force",)), "is a file, not a folder")
    assert (tmp_path / "y").read_text() == "mine"


def test_empty_folder_is_free_to_use(three: list[Path], tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    assert linear(*three[:2], out=tmp_path / "out").code == 0
    assert listing(tmp_path / "out") == ["model.safetensors", "sdmerge.json"]
