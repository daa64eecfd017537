"""`sdmerge lora`, as a user types it."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path
from typing import get_args

import pytest
from PIL import Image

from sdmerge.adapters.lora.spelling import Dialect
from sdmerge.cli.lora.convert import convert_command
from tests.tiny import SAMPLES, cli, load

LORAS = SAMPLES.parent / "loras"
TORII, POP = LORAS / "torii.safetensors", LORAS / "pop.safetensors"


def test_help_lists_the_commands_without_torch() -> None:
    code = """
import sys
from sdmerge.cli.main import run
code = run(["lora", "--help"])
print(code, "torch" in sys.modules)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert "convert" in done.stdout
    assert done.stdout.splitlines()[-1] == "0 False"


def test_an_unknown_command_gets_the_nearest() -> None:
    said = cli("lora", "convrt")
    assert said.code == 2
    assert "Did you mean 'convert'?" in said.err


def test_the_dialects_are_those_that_are_written() -> None:
    (option,) = [one for one in convert_command.params if one.name == "dialect"]
    assert tuple(option.type.choices) == get_args(Dialect)  # pyright: ignore


def test_convert_and_back(tmp_path: Path) -> None:
    kohya, back = tmp_path / "k.safetensors", tmp_path / "d.safetensors"
    said = cli("lora", "convert", TORII, "-o", kohya, "--dialect", "kohya", "--json")
    assert said.code == 0
    assert said.data["modules"] == 140
    assert said.data["family"] == "sd1"
    assert (
        cli("lora", "convert", kohya, "-o", back, "--dialect", "diffusers", "-q").out == f"{back}\n"
    )
    assert len(load(back)) == len(load(TORII))


def test_nothing_is_overwritten_without_force(tmp_path: Path) -> None:
    target = tmp_path / "x.safetensors"
    shutil.copy(POP, target)
    before = target.read_bytes()
    said = cli("lora", "convert", TORII, "-o", target, "--dialect", "kohya")
    assert said.code == 2
    assert "--force" in said.err
    assert target.read_bytes() == before
    # a file may take its own place
    assert cli("lora", "convert", target, "-o", target, "--dialect", "kohya", "--force").code == 0
    assert all(name.startswith("lora_unet_") for name in load(target))


@pytest.mark.parametrize("command", ["convert", "resize", "inspect"])
def test_wrong_files_are_refused(command: str, tmp_path: Path) -> None:
    half = tmp_path / "half.safetensors"
    half.write_bytes(TORII.read_bytes()[:9000])
    options = {
        "convert": ["-o", tmp_path / "o.safetensors", "--dialect", "kohya"],
        "resize": ["-o", tmp_path / "o.safetensors", "--rank", "2"],
        "inspect": [],
    }[command]
    for path, word in (
        (SAMPLES / "base", "is not a LoRA"),
        (tmp_path / "no.safetensors", "there is no such file"),
        (half, "half.safetensors"),
    ):
        said = cli("lora", command, path, *options)
        assert said.code == 2
        assert word in said.err
    assert not (tmp_path / "o.safetensors").exists()


def test_what_is_left_out_is_listed(tmp_path: Path) -> None:
    dora = tmp_path / "k.safetensors"
    said = cli("lora", "convert", LORAS / "pop_dora.safetensors", "-o", dora, "--dialect", "kohya")
    assert "diffusers reads a DoRA in this dialect as a plain LoRA" in said.err
    assert said.code == 0


def test_resize_prints_each_error(tmp_path: Path) -> None:
    target = tmp_path / "x.safetensors"
    said = cli("lora", "resize", TORII, "-o", target, "--size", "120kB", "--json")
    assert said.code == 0
    assert len(said.data["modules"]) == 140
    assert 0 < said.data["error"] < 0.5
    assert target.stat().st_size <= 120_000
    assert cli("lora", "resize", TORII, "-o", target, "--force").code == 2
    people = cli("lora", "resize", TORII, "-o", target, "--force", "--rank", "3")
    assert "over 140 modules" in people.out


def test_inspect_compares_two_and_draws_them(tmp_path: Path) -> None:
    picture = tmp_path / "x.png"
    said = cli("lora", "inspect", TORII, POP, "--plot", picture, "--json")
    assert said.code == 0
    assert said.data["files"][0]["blocks"][0]["modules"] == 12
    assert len(said.data["overlap"]) == 17
    assert said.data["in_words"]
    with Image.open(picture) as image:
        assert image.width > 900
    again = cli("lora", "inspect", TORII, "--plot", picture)
    assert again.code == 2
    assert cli("lora", "inspect", TORII, "--plot", picture, "--force").code == 0
    with Image.open(picture) as image:
        assert image.width < 700
    assert cli("lora", "inspect", TORII, TORII, TORII).code == 2


def test_inspect_says_it_to_people() -> None:
    said = cli("lora", "inspect", LORAS / "pop_locon.safetensors", "--base", SAMPLES / "base")
    assert "LoRA for Stable Diffusion 1 in kohya names: LoRA (256)" in said.out
    assert "ranks: 8 (256); alphas: 4 (256)" in said.out
    assert "of base" in said.out
