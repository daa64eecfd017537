"""Pictures that say how they were made: written into PNG text chunks, or XMP and EXIF of WebP.

`sdmerge` is our own record, as JSON; `parameters` is the text that A1111's relatives read.
"""

from __future__ import annotations

import dataclasses
import html
import io
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from importlib.metadata import version
from pathlib import Path
from typing import Any

from PIL import Image, PngImagePlugin, UnidentifiedImageError
from PIL.Image import Image as Picture

from sdmerge.errors import FileError, InputError
from sdmerge.sample.grid.model import Value
from sdmerge.written import written

SUFFIXES = (".png", ".webp")
_OURS, _TEXT = "sdmerge", "parameters"
_USER_COMMENT, _EXIF_IFD = 0x9286, 0x8769
_XMP = """<?xpacket begin="" id="W5M0MpCehiHzreSzNTczkc9d"?><x:xmpmeta xmlns:x="adobe:ns:meta/">\
<rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#"><rdf:Description rdf:about="" \
xmlns:sdmerge="https://github.com/sdmerge/sdmerge#" sdmerge:record="{}"/></rdf:RDF></x:xmpmeta>\
<?xpacket end="w"?>"""
_RECORD = re.compile(rb'sdmerge:record="([^"]*)"')
_NAMES = {"steps": "Steps", "sampler": "Sampler", "guidance_scale": "CFG scale"}


@dataclass(frozen=True, slots=True)
class Record:
    """How a picture was made. `settings` are those of Sampling, by its names; `values` is its place
    in a grid.
    """

    prompt: str
    seed: int
    recipe: str = ""
    recipe_id: str = ""
    settings: Mapping[str, Value] = field(default_factory=dict[str, Value])
    values: Mapping[str, Value] = field(default_factory=dict[str, Value])
    version: str = field(default_factory=lambda: version("sdmerge"))


def save_picture(image: Picture, path: Path, record: Record, *, quality: int | None = None) -> None:
    """Write a .png or .webp that holds `record`; `quality` makes a WebP lossy (1..100)."""
    suffix = path.suffix.lower()
    if suffix not in SUFFIXES:
        raise InputError("pictures are written as .png or .webp", where=str(path))
    with written(path) as partial:
        if suffix == ".png":
            image.save(partial, format="PNG", pnginfo=_chunks(image, record))
            return
        image.save(
            partial,
            format="WEBP",
            lossless=quality is None,
            quality=80 if quality is None else quality,
            exif=_exif(image, record),
            xmp=_XMP.format(html.escape(_json(record))).encode(),
        )


def png_bytes(image: Picture, record: Record) -> bytes:
    """The picture as a PNG file that holds `record`, for who shows it at once."""
    file = io.BytesIO()
    image.save(file, format="PNG", pnginfo=_chunks(image, record), compress_level=1)
    return file.getvalue()


def read_record(path: Path) -> Record:
    """How the picture was made; an InputError if it does not say."""
    try:
        with Image.open(path) as image:
            entry = _entry(image)
    except (OSError, UnidentifiedImageError, SyntaxError, ValueError) as error:
        raise FileError(f"cannot be read as a picture: {error}", where=str(path)) from None
    if entry is None:
        hint = "Programs that edit or shrink pictures drop it; take the original."
        raise InputError("does not say how it was made", where=str(path), hint=hint)
    try:
        data = json.loads(entry)
        return Record(**{name.name: data[name.name] for name in dataclasses.fields(Record)})
    except (ValueError, KeyError, TypeError):
        raise FileError("its record is broken", where=str(path)) from None


def _entry(image: Picture) -> str | None:
    info: Mapping[Any, Any] = image.info
    if image.format == "PNG":
        image.load()  # text may stand behind the pixels
        return info.get(_OURS)
    found = _RECORD.search(info.get("xmp", b""))
    return html.unescape(found[1].decode()) if found else None


def _chunks(image: Picture, record: Record) -> PngImagePlugin.PngInfo:
    chunks = PngImagePlugin.PngInfo()
    for key, text in ((_TEXT, _parameters(image, record)), (_OURS, _json(record))):
        chunks.add_itxt(key, text, zip=len(text) > 1000)
    return chunks


def _exif(image: Picture, record: Record) -> Image.Exif:
    exif = Image.Exif()
    comment = b"UNICODE\0" + _parameters(image, record).encode("utf-16-be")
    exif.get_ifd(_EXIF_IFD)[_USER_COMMENT] = comment
    return exif


def _json(record: Record) -> str:
    return json.dumps(dataclasses.asdict(record), ensure_ascii=False)


def _parameters(image: Picture, record: Record) -> str:
    """The three lines that A1111's relatives write: prompt, negative prompt, settings."""
    lines = [record.prompt]
    if negative := record.settings.get("negative_prompt"):
        lines.append(f"Negative prompt: {negative}")
    settings = {_NAMES[name]: record.settings.get(name) for name in _NAMES}
    known = {name: value for name, value in settings.items() if value is not None}
    told = {**known, "Seed": record.seed, "Size": f"{image.width}x{image.height}"}
    if record.recipe_id:
        told["Model"] = f"sdmerge {record.recipe_id}"
    return "\n".join([*lines, ", ".join(f"{name}: {value}" for name, value in told.items())])
