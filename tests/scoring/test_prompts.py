"""Prompt files: a prompt per line, or JSONL; and folders of references."""

from __future__ import annotations

from pathlib import Path

import pytest
from PIL import Image

from sdmerge.album import pictures_in
from sdmerge.errors import FileError
from sdmerge.scoring.prompts import Line, read_prompts, with_references

SAMPLES = Path(__file__).resolve().parents[2] / "samples"


def file(folder: Path, text: str, name: str = "p.jsonl") -> Path:
    path = folder / name
    path.write_text(text, "utf-8")
    return path


def test_a_prompt_per_line(tmp_path: Path) -> None:
    lines = read_prompts(file(tmp_path, " 赤い丸 \n\nb {\n", "p.txt"))
    assert lines == [Line("赤い丸", "赤い丸"), Line("b {", "b {")]


def test_jsonl_has_captions_and_references() -> None:
    lines = read_prompts(SAMPLES / "prompts" / "test.jsonl")
    assert len(lines) == 64
    assert lines[0].prompt == "緑の背景に黒い丸"
    assert lines[0].caption == "浮世絵風、緑の背景に黒い丸"
    assert all(line.reference and line.reference.is_file() for line in lines)


def test_references_of_a_folder_come_in_order(tmp_path: Path) -> None:
    for name in ("b.png", "a.webp"):
        Image.new("RGB", (8, 8)).save(tmp_path / name)
    (tmp_path / "notes.txt").write_text("")
    lines = [Line("x", "x"), Line("y", "y")]
    assert [line.reference for line in with_references(lines, tmp_path)] == pictures_in(tmp_path)
    assert [path.name for path in pictures_in(tmp_path)] == ["a.webp", "b.png"]
    with pytest.raises(FileError, match="2 pictures for 1 prompts"):
        with_references(lines[:1], tmp_path)
    with pytest.raises(FileError, match="no such folder"):
        pictures_in(tmp_path / "none")


@pytest.mark.parametrize(
    ("text", "phrase"),
    [
        ("", "no prompts"),
        ('{"prompt": "a"}\n{"prompt": ', ":2: is no JSON"),
        ('["a"]', ":1: is no JSON object"),
        ('{"caption": "a"}', "strange 'prompt'"),
        ('{"prompt": ""}', "strange 'prompt'"),
        ('{"prompt": "a", "captoin": "b"}', "strange 'captoin'"),
        ('{"prompt": "a", "caption": 3}', "strange 'caption'"),
        ('{"prompt": "a", "reference": "none.png"}', "no reference 'none.png'"),
    ],
)
def test_broken_files(tmp_path: Path, text: str, phrase: str) -> None:
    with pytest.raises(FileError) as caught:
        read_prompts(file(tmp_path, text))
    assert phrase in str(caught.value)


def test_files_that_are_not_there(tmp_path: Path) -> None:
    with pytest.raises(FileError, match="no such file of prompts"):
        read_prompts(tmp_path / "none.txt")
    (tmp_path / "latin.txt").write_bytes(b"caf\xe9")
    with pytest.raises(FileError, match="cannot be read"):
        read_prompts(tmp_path / "latin.txt")
