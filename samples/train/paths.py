"""Where the parts of `samples/` lie."""

from pathlib import Path

SAMPLES = Path(__file__).resolve().parents[1]
MODELS = SAMPLES / "models"
SCORERS = SAMPLES / "scorers"
PICTURES = SAMPLES / "pictures"
WORK = SAMPLES / "train" / "work"
