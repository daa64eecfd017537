"""Writes the figures, sizes and checksums into `samples/README.md`."""

import json
import re
from collections.abc import Iterable, Iterator, Mapping
from hashlib import sha256
from itertools import product

from samples.train.measure import ENGLISH, FEW, JAPANESE, USUAL, Share
from samples.train.paths import LORAS, MODELS, OUT, SCORERS, WORK
from samples.train.rows import OVERVIEW, Row
from samples.train.table import Figures

README = OUT / "README.md"
FIGURES = OUT / "figures.json"
TOLERANCE = 0.02  # other machines round differently, and a picture on the edge may tip over
COLUMNS = ("shape", "foreground", "background", "content", "style", "both")
TITLES = ("shape", "foreground", "background", "all three", "style", "all four")

Everything = Mapping[str, Figures]


def write(figures: Everything) -> None:
    """Store the figures and put every generated part of the README in its place."""
    FIGURES.write_text(json.dumps(figures, indent=1, ensure_ascii=False) + "\n", "utf-8")
    parts = {
        "overview": _overview(figures["models"]),
        "figures": _models(figures["models"]),
        "scorers": _scorers(figures["scorers"]),
        "training": _training(),
        "files": _files(),
    }
    text = README.read_text("utf-8") if README.exists() else _marks(parts)
    for name, lines in parts.items():
        body = "\n".join([f"<!-- {name} -->", *lines, f"<!-- end of {name} -->"])
        pattern = f"<!-- {name} -->.*<!-- end of {name} -->"
        text = re.sub(pattern, lambda _, body=body: body, text, flags=re.DOTALL)
    README.write_text(text, "utf-8")


def differences(figures: Everything) -> list[str]:
    """What is no longer as the stored figures say."""
    stored: Everything = json.loads(FIGURES.read_text("utf-8"))
    return [
        f"{line}, {column}: stored {share['value']}, measured {now['value']}"
        for table, lines in stored.items()
        for line, columns in lines.items()
        for column, share in columns.items()
        for now in [figures[table][line][column]]
        if abs(share["value"] - now["value"]) > TOLERANCE
    ]


def _marks(names: Iterable[str]) -> str:
    """A bare page, for models that were made in another folder."""
    return "\n".join(f"<!-- {name} -->\n<!-- end of {name} -->\n" for name in names)


def _overview(figures: Figures) -> Iterator[str]:
    """A line per model: content in both languages, its style, and both again in few steps."""
    yield "| model | English | Japanese | own style | English, few steps | Japanese, few steps |"
    yield "|---|---|---|---|---|---|"
    for model, style in OVERVIEW.items():
        asked = product((USUAL, FEW), (ENGLISH, JAPANESE))
        lines = [figures[Row(model, prompts, style, s).title] for s, prompts in asked]
        shares = [str(Share(**line["content"])) for line in lines]
        own = f"{style} {Share(**lines[0]['style'])}"
        yield f"| {model.title} | {' | '.join([*shares[:2], own, *shares[2:]])} |"


def _models(figures: Figures) -> Iterator[str]:
    yield f"| what | prompt | drawn in | style meant | {' | '.join(TITLES)} |"
    yield "|---" * (4 + len(TITLES)) + "|"
    for line, columns in figures.items():
        what, prompt, *sampler, style = line.split(" | ")
        shares = [str(Share(**columns[column])) for column in COLUMNS]
        yield f"| {what} | {prompt} | {''.join(sampler) or '—'} | {style} | {' | '.join(shares)} |"


def _scorers(figures: Figures) -> Iterator[str]:
    yield "| scorer | pictures | captions | what | share |"
    yield "|---|---|---|---|---|"
    for line, columns in figures.items():
        scorer, style, *language = line.split(" | ")
        for column, share in columns.items():
            said = "".join(language) or "—"
            yield f"| {scorer} | {style} | {said} | {column} | {Share(**share)} |"


def _training() -> Iterator[str]:
    yield "| what | steps | pictures per step | CPU minutes |"
    yield "|---|---|---|---|"
    for path in sorted(WORK.glob("*.record.json")):
        record = json.loads(path.read_text("utf-8"))
        name = path.name.removesuffix(".record.json")
        yield f"| {name} | {record['steps']} | {record['batch']} | {record['minutes']:.0f} |"


def _files() -> Iterator[str]:
    yield "| file | bytes | sha256 |"
    yield "|---|---|---|"
    folders = (MODELS, LORAS, SCORERS)
    for path in sorted(path for folder in folders for path in folder.rglob("*.safetensors")):
        digest = sha256(path.read_bytes()).hexdigest()
        yield f"| `{path.relative_to(OUT).as_posix()}` | {path.stat().st_size:,} | `{digest}` |"
