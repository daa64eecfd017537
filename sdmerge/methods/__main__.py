"""Writes `manifest.json` from the registry: `python -m sdmerge.methods`."""

from __future__ import annotations

from pathlib import Path

from sdmerge.manifest import dump
from sdmerge.methods import METHODS


def main() -> None:
    """Write the manifest beside the package's other files."""
    target = Path(__file__).resolve().parents[1] / "manifest.json"
    target.write_text(dump(method.spec for method in METHODS.values()), "utf-8", newline="\n")


if __name__ == "__main__":
    main()
