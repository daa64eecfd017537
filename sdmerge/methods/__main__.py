"""Writes what is generated from the registry: `python -m sdmerge.methods`.

That is `manifest.json` and, in a clone, the table of methods in the README.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import Path

from sdmerge.manifest import MethodSpec, dump
from sdmerge.methods import METHODS

PACKAGE = Path(__file__).resolve().parents[1]
README = PACKAGE.parent / "README.md"


def methods_table(specs: Iterable[MethodSpec]) -> str:
    """The README's table of methods."""
    rows = [
        f"| `{spec.name}` | [{spec.title}]({spec.paper}) | {spec.summary} |"
        for spec in sorted(specs, key=lambda spec: spec.name)
    ]
    return "\n".join(["| method | paper | what it does |", "|---|---|---|", *rows])


def with_table(readme: str, table: str) -> str:
    """The README's text with `table` between its marks."""
    marked = re.compile(r"(<!-- methods -->\n).*?(<!-- /methods -->)", re.DOTALL)
    return marked.sub(lambda match: f"{match[1]}{table}\n{match[2]}", readme)


def main() -> None:
    """Write the manifest, and the table if the README is there."""
    specs = [method.spec for method in METHODS.values()]
    (PACKAGE / "manifest.json").write_text(dump(specs), "utf-8", newline="\n")
    if README.is_file():
        text = with_table(README.read_text("utf-8"), methods_table(specs))
        README.write_text(text, "utf-8", newline="\n")


if __name__ == "__main__":
    main()
