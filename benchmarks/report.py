"""What every benchmark does alike: options, figures as JSON, and tables in the README."""

from __future__ import annotations

import argparse
import json
import os
import re
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent

Figures = Mapping[str, Any]


def benchmark(
    about: str | None,
    measure: Callable[[Any], Figures],
    record: Callable[[Figures], None],
    *,
    more: Mapping[str, Mapping[str, Any]] | None = None,
) -> None:
    """Measure as the options say and print the figures, which `--record` gives to `record`.

    `more` are options beside those that all benchmarks have, with argparse's settings of each.
    """
    parser = argparse.ArgumentParser(
        description=about, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--folder", type=Path, required=True, help="where files are made and kept")
    parser.add_argument("--quick", action="store_true", help="little work, to try the script")
    parser.add_argument("--record", action="store_true", help="write the figures beside this file")
    parser.add_argument("--note", default="", help="a sentence on the circumstances")
    for name, settings in (more or {}).items():
        parser.add_argument(f"--{name}", **settings)
    options = parser.parse_args()
    options.folder.mkdir(parents=True, exist_ok=True)
    figures = {"cores": os.cpu_count(), "note": options.note, **measure(options)}
    print(json.dumps(figures, indent=1))  # noqa: T201
    if options.record:
        record(figures)


def keep(name: str, figures: Figures) -> None:
    """Write the figures to NAME.json beside this file."""
    (HERE / f"{name}.json").write_text(json.dumps(figures, indent=1) + "\n", "utf-8")


def put_figures(section: str, figures: Figures) -> None:
    """Write the figures to SECTION.json, and to the README as a table with the note below."""
    keep(section, figures)
    rows = [(name.replace("_", " "), value) for name, value in figures.items() if name != "note"]
    put(section, f"{table(('figure', 'value'), rows)}\n\n{figures['note']}".strip())


def put(section: str, text: str) -> None:
    """Replace what stands between the marks of `section` in the README."""
    readme = HERE / "README.md"
    marked = re.compile(rf"(<!-- {section} -->\n).*?(<!-- /{section} -->)", re.DOTALL)
    old = readme.read_text("utf-8")
    readme.write_text(marked.sub(lambda match: f"{match[1]}{text}\n{match[2]}", old), "utf-8")


def table(head: Sequence[str], rows: Sequence[Sequence[object]]) -> str:
    """A table in Markdown."""
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join("| " + " | ".join(map(str, line)) + " |" for line in lines)
