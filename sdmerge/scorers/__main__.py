"""Writes what is generated from the registry: `python -m sdmerge.scorers`."""

from __future__ import annotations

from pathlib import Path

from sdmerge.scorers import SCORERS
from sdmerge.scoring.spec import dump

MANIFEST = Path(__file__).resolve().parents[1] / "scoring" / "manifest.json"


def main() -> None:
    """Write the manifest."""
    text = dump(scorer.spec for scorer in SCORERS.values())
    MANIFEST.write_text(text, "utf-8", newline="\n")


if __name__ == "__main__":
    main()
