"""Pictures tell how they were made, to us and to others."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from tiny import cli, listing

from sdmerge.errors import FileError, InputError
from sdmerge.sample.picture import Record, read_record, save_picture

RECIPE = 'merge_method: slerp\nmodels: [{model: "a&<b>"}]\n'
RECORD = Record(
    "赤い丸 <script>alert(\"1\")</script> & 'x' \\ ✓", 7, RECIPE, "ab" * 16,
    {"steps": 8, "guidance_scale": 3.0, "negative_prompt": "blurry, 悪い", "sampler": None},
    {"t": 0.5},
)  # fmt: skip


def noise(size: tuple[int, int] = (40, 24)) -> Image.Image:
    values = np.random.default_rng(0).integers(0, 256, (size[1], size[0], 3), np.uint8)
    return Image.fromarray(values)


@pytest.mark.parametrize("suffix", [".png", ".webp", ".PNG"])
def test_what_is_written_is_read(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / "new" / f"x{suffix}"
    save_picture(noise(), path, RECORD)
    assert read_record(path) == RECORD
    assert np.array_equal(np.asarray(Image.open(path)), np.asarray(noise()))
    assert listing(tmp_path) == ["new", f"new/x{suffix}"]


def test_quality_makes_a_webp_smaller(tmp_path: Path) -> None:
    for quality, name in ((None, "whole.webp"), (60, "lossy.webp")):
        save_picture(noise((200, 200)), tmp_path / name, RECORD, quality=quality)
        assert read_record(tmp_path / name) == RECORD
    assert (tmp_path / "lossy.webp").stat().st_size < (tmp_path / "whole.webp").stat().st_size / 2


def test_others_read_the_parameters(tmp_path: Path) -> None:
    """The text that A1111 and its relatives show: PNG text, or EXIF's UserComment."""
    save_picture(noise(), tmp_path / "x.png", RECORD)
    save_picture(noise(), tmp_path / "x.webp", RECORD)
    with Image.open(tmp_path / "x.png") as image:
        text = image.info["parameters"]
    with Image.open(tmp_path / "x.webp") as image:
        comment = image.getexif().get_ifd(0x8769)[0x9286]
    assert comment == b"UNICODE\0" + text.encode("utf-16-be")
    prompt, negative, settings = text.split("\n")
    assert prompt == RECORD.prompt
    assert negative == "Negative prompt: blurry, 悪い"
    assert settings.startswith("Steps: 8, ")
    assert "CFG scale: 3.0, Seed: 7, Size: 40x24, Model: sdmerge abab" in settings
    assert "None" not in settings


def test_show_prints_it(tmp_path: Path) -> None:
    path = tmp_path / "x.webp"
    save_picture(noise(), path, RECORD)
    said = cli("show", path)
    assert (said.code, said.out) == (0, RECIPE)
    assert "# seed: 7" in said.err
    assert "# t: 0.5" in said.err
    assert json.loads(cli("show", path, "--json").out)["settings"]["steps"] == 8
    assert cli("show", path, "-q").out == f"{'ab' * 16}\n"


def test_pictures_that_do_not_tell(tmp_path: Path) -> None:
    noise().save(tmp_path / "plain.png")
    noise().save(tmp_path / "plain.webp")
    (tmp_path / "text.png").write_text("not a picture")
    (tmp_path / "empty.webp").write_bytes(b"")
    for name in ("plain.png", "plain.webp"):
        with pytest.raises(InputError, match="does not say how it was made"):
            read_record(tmp_path / name)
    for name in ("text.png", "empty.webp"):
        said = cli("show", tmp_path / name)
        assert said.code == 2
        assert "cannot be read as a picture" in said.err


@pytest.mark.parametrize("suffix", [".png", ".webp"])
def test_broken_pictures_are_refused(tmp_path: Path, suffix: str) -> None:
    """Cut short anywhere, a picture is an error, never a crash."""
    path = tmp_path / f"x{suffix}"
    save_picture(noise(), path, RECORD)
    content = path.read_bytes()
    for share in range(1, 10):
        path.write_bytes(content[: len(content) * share // 10])
        with pytest.raises(InputError):
            read_record(path)


def test_a_broken_record(tmp_path: Path) -> None:
    path = tmp_path / "x.webp"
    save_picture(noise(), path, RECORD)
    content = path.read_bytes().replace(b"&quot;seed&quot;", b"&quot;Seed&quot;")
    path.write_bytes(content)
    with pytest.raises(FileError, match="record is broken"):
        read_record(path)


def test_other_formats_are_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"\.png or \.webp"):
        save_picture(noise(), tmp_path / "x.jpg", RECORD)
    assert listing(tmp_path) == []
