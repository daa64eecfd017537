"""The page as text: what it holds is inert, and it needs nothing but itself."""

from __future__ import annotations

import base64
import hashlib
import json
import re
from pathlib import Path

import pytest
from grids import PROMPTS, SEEDS, TS, make_grid
from PIL import Image
from tiny import cli, listing

from sdmerge.errors import FileError, InputError
from sdmerge.sample import viewer
from sdmerge.sample.grid import CELLS, Axis, Cell, Grid, append_cell, create, read_cells
from sdmerge.sample.viewer import export, page, write_page

ASSETS = Path(viewer.__file__).parent / "assets"
NASTY = ("</script><script>alert(1)</script>", "<img src=x onerror=alert(1)>", "<!-- <script>")


def embedded(text: str) -> dict[str, object]:
    return json.loads(re.findall(r'id="grid">(.*?)</script>', text, re.DOTALL)[0])


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_grid(tmp_path_factory.mktemp("grid"))


def test_the_data_is_the_grid(folder: Path) -> None:
    data = embedded(page(folder))
    assert [axis["labels"] for axis in data["axes"]] == [
        ["0", "0.25", "0.5", "0.75", "1"], list(PROMPTS), ["7", "8"],
    ]  # fmt: skip
    assert data["size"] == [48, 48]
    cells = {cell["id"]: cell for cell in data["cells"]}
    for name, cell in read_cells(folder).items():
        at = [TS.index(cell.values["t"]), PROMPTS.index(cell.prompt), SEEDS.index(cell.seed)]
        assert cells[name]["at"] == at
        assert cells[name]["scores"] == cell.scores
    assert len(cells) == 30


def test_nothing_in_the_data_ends_its_element(tmp_path: Path) -> None:
    folder = make_grid(tmp_path, prompts=NASTY, ts=(0.0,), seeds=(1,))
    create(folder, Grid((Axis("t", (0.0,)), Axis("prompt", NASTY)), NASTY[0] * 2))
    text = page(folder)
    assert [cell["prompt"] for cell in embedded(text)["cells"]] == list(NASTY)
    assert embedded(text)["title"] == NASTY[0] * 2
    assert "alert(1)" not in re.sub(r'id="grid">.*?</script>', "", text, flags=re.DOTALL).replace(
        "&lt;/script&gt;&lt;script&gt;alert(1)&lt;/script&gt;", ""
    )
    assert len(re.findall(r"<script", text)) == 2


def test_only_its_own_script_may_run(folder: Path) -> None:
    text = page(folder)
    policy = re.findall(r'Content-Security-Policy" content="([^"]*)"', text)[0]
    for tag in ("style", "script"):
        content = re.findall(rf"<{tag}>(.*?)</{tag}>", text, re.DOTALL)
        digest = base64.b64encode(hashlib.sha256(content[0].encode()).digest()).decode()
        assert len(content) == 1
        assert f"{tag}-src 'sha256-{digest}'" in policy
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy
    outside = re.findall(r"(?:https?:)?//[a-z0-9.-]+\.[a-z]{2,}", text)
    assert outside == []


def test_every_word_is_in_both_languages() -> None:
    words = json.loads((ASSETS / "words.json").read_text("utf-8"))
    script = "".join(path.read_text("utf-8") for path in (ASSETS / "script").iterdir())
    for key, texts in words.items():
        assert set(texts) == {"en", "ja"}, key
        assert all(texts.values()), key
        named = [set(re.findall(r"\{\w+\}", text)) for text in texts.values()]
        assert named[0] == named[1], key
        assert f'"{key}"' in script, key
    assert set(re.findall(r'say\("([\w.]+)"', script)) <= set(words)


def test_files_of_the_page_are_short_and_safe() -> None:
    for path in (ASSETS / "script").iterdir():
        text = path.read_text("utf-8")
        assert len(text.splitlines()) < 300, path.name
        assert not re.search(r"innerHTML|outerHTML|insertAdjacent|document\.write|eval\(", text)


def test_cells_off_the_axes_are_left_out(tmp_path: Path) -> None:
    folder = make_grid(tmp_path, seeds=(7,))
    create(folder, Grid((Axis("t", TS[:2]), Axis("prompt", PROMPTS)), "less"))
    assert len(embedded(page(folder))["cells"]) == 2 * len(PROMPTS)


def test_a_cell_drawn_anew_takes_the_place(tmp_path: Path) -> None:
    folder = make_grid(tmp_path, ts=(0, 1), seeds=(7,))
    old = next(iter(read_cells(folder).values()))
    append_cell(folder, Cell("new", {**old.values, "t": 0.0}, old.prompt, 7, old.file, "r"))
    found = [cell["id"] for cell in embedded(page(folder))["cells"] if cell["at"] == [0, 0]]
    assert found == ["new"]


# export


def test_a_folder_to_send(folder: Path, tmp_path: Path) -> None:
    (folder / "votes.jsonl").write_text("")
    found = export(folder, tmp_path / "sent")
    assert found == tmp_path / "sent" / "grid.html"
    pictures = sorted(cell.file for cell in read_cells(folder).values())
    assert listing(tmp_path / "sent") == sorted(
        ["cells", "cells.jsonl", "grid.html", "grid.yaml", *pictures]
    )
    assert embedded(found.read_text("utf-8")) == embedded(page(folder))
    assert listing(tmp_path) == ["sent", *(f"sent/{name}" for name in listing(tmp_path / "sent"))]


def test_one_file_to_send(folder: Path, tmp_path: Path) -> None:
    found = export(folder, tmp_path / "x.html", single_file=True)
    pictures = embedded(found.read_text("utf-8"))["pictures"]
    for cell in read_cells(folder).values():
        kind, _, content = pictures[cell.file].partition(",")
        assert kind == "data:image/png;base64"
        assert base64.b64decode(content) == (folder / cell.file).read_bytes()
    assert listing(tmp_path) == ["x.html"]


def test_an_export_replaces_only_what_it_may(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "thesis.txt").write_text("mine")
    with pytest.raises(InputError, match="exists already"):
        export(folder, tmp_path / "mine")
    with pytest.raises(InputError, match="is not a grid"):
        export(folder, tmp_path / "mine", force=True)
    with pytest.raises(InputError, match="lies in the grid"):
        export(folder, folder / "sent")
    with pytest.raises(InputError, match=r"exists already|lies in the grid"):
        export(folder, folder)
    with pytest.raises(InputError, match="lies in the grid"):
        export(folder, folder, force=True)
    with pytest.raises(InputError, match=r"written as \.html"):
        export(folder, tmp_path / "x.zip", single_file=True)
    assert listing(tmp_path) == ["mine", "mine/thesis.txt"]
    export(folder, tmp_path / "sent")
    (tmp_path / "sent" / "old.txt").write_text("")
    export(folder, tmp_path / "sent", force=True)
    assert "old.txt" not in listing(tmp_path / "sent")


def test_what_is_missing_is_said(folder: Path, tmp_path: Path) -> None:
    source = tmp_path / "source"
    export(folder, source)
    gone = next(iter(read_cells(source).values()))
    (source / gone.file).unlink()
    for target, single in (("a", False), ("a.html", True)):
        with pytest.raises(FileError, match="1 of 30 pictures are missing"):
            export(source, tmp_path / target, single_file=single)
    write_page(source)  # the viewer itself shows what there is
    (source / CELLS).unlink()
    with pytest.raises(FileError, match="no pictures yet"):
        export(source, tmp_path / "a")
    assert listing(tmp_path)[0] == "source"


# the command


def test_the_command(folder: Path, tmp_path: Path) -> None:
    said = cli("view", folder, "--export", tmp_path / "a.html", "--sheet", tmp_path / "a.png", "-q")
    assert said.code == 0
    assert said.out == f"{tmp_path / 'a.html'}\n{tmp_path / 'a.png'}\n"
    with Image.open(tmp_path / "a.png") as sheet:
        assert sheet.width > 5 * 128
    again = cli("view", folder, "--export", tmp_path / "a.html")
    assert again.code == 2
    assert "exists already" in again.err
    page_only = cli("view", folder, "--no-open", "--json")
    assert json.loads(page_only.out) == {"paths": [str(folder / "grid.html")]}
    nothing = cli("view", tmp_path)
    assert nothing.code == 2
    assert "is not a grid" in nothing.err
