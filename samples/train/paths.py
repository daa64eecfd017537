"""Where the parts of `samples/` lie, and where they are built."""

import os
from pathlib import Path

SAMPLES = Path(__file__).resolve().parents[1]
OUT = Path(os.environ.get("SAMPLES_OUT", SAMPLES))  # another folder, to try the scripts
MODELS = OUT / "models"
LORAS = OUT / "loras"
SCORERS = OUT / "scorers"
PROMPTS = OUT / "prompts"
REFERENCES = OUT / "references"
PICTURES = OUT / "pictures"
WORK = OUT / "train" / "work"


def work_in(out: Path | None) -> Path:
    """Where `all` keeps what it needs between runs, for models written to `out`."""
    return (out or SAMPLES) / "train" / "work"
