"""Writes the figures, sizes and checksums into `samples/README.md`."""

import json
import re
from collections.abc import Iterator
from hashlib import sha256

from samples.train.measure import Share
from samples.train.paths import SAMPLES, WORK
from samples.train.table import Figures

README = SAMPLES / "README.md"
FIGURES = SAMPLES / "figures.json"
TOLERANCE = 0.02  # other machines round differently, and a picture on the edge may tip over
COLUMNS = ("shape", "foreground", "background", "content", "style", "both")
FOLDERS = ("models", "scorers")


def write(figures: Figures) -> None:
    """Store the figures and put every generated part of the README in its place."""
    FIGURES.write_text(json.dumps(figures, indent=1, ensure_ascii=False) + "\n", "utf-8")
    text = README.read_text("utf-8")
    parts = {"figures": _figures(figures), "training": _training(), "files": _files()}
    for name, lines in parts.items():
        body = "\n".join([f"<!-- {name} -->", *lines, f"<!-- end of {name} -->"])
        pattern = f"<!-- {name} -->.*<!-- end of {name} -->"
        text = re.sub(pattern, lambda _, body=body: body, text, flags=re.DOTALL)
    README.write_text(text, "utf-8")


def differences(figures: Figures) -> list[str]:
    """What is no longer as the stored figures say."""
    stored: Figures = json.loads(FIGURES.read_text("utf-8"))
    return [
        f"{line}, {column}: stored {share['value']}, measured {figures[line][column]['value']}"
        for line, columns in stored.items()
        for column, share in columns.items()
        if abs(share["value"] - figures[line][column]["value"]) > TOLERANCE
    ]


def _figures(figures: Figures) -> Iterator[str]:
    titles = ("shape", "foreground", "background", "all three", "style", "all four")
    yield f"| what | prompt | style meant | {' | '.join(titles)} |"
    yield "|---" * (3 + len(titles)) + "|"
    for line, columns in figures.items():
        what, *prompt, style = line.split(" | ")
        shares = [str(Share(**columns[column])) for column in COLUMNS]
        yield f"| {what} | {''.join(prompt) or '—'} | {style} | {' | '.join(shares)} |"


def _training() -> Iterator[str]:
    yield "| model | steps | pictures per step | minutes, two processes at most |"
    yield "|---|---|---|---|"
    for path in sorted(WORK.glob("*.record.json")):
        record = json.loads(path.read_text("utf-8"))
        name = path.name.removesuffix(".record.json")
        yield f"| {name} | {record['steps']} | {record['batch']} | {record['minutes']:.0f} |"


def _files() -> Iterator[str]:
    yield "| file | bytes | sha256 |"
    yield "|---|---|---|"
    paths = [path for folder in FOLDERS for path in (SAMPLES / folder).rglob("*.safetensors")]
    for path in sorted(paths):
        digest = sha256(path.read_bytes()).hexdigest()
        name = path.relative_to(SAMPLES).as_posix()
        yield f"| `{name}` | {path.stat().st_size:,} | `{digest}` |"
