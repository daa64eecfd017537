"""The main job on the sample models: merge `recipes/first.yaml`, then draw parents and merge.

`python -m samples.first` writes `out/first/` (the model) and `out/first.png` (the picture).
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

from sdmerge.cli.main import run

ROOT = Path(__file__).resolve().parents[1]
MODELS = ("samples/models/base", "samples/models/japanese", "samples/models/ukiyoe")


def commands(out: Path) -> list[list[str]]:
    """The two sdmerge commands that make the model and the picture in `out`."""
    model, picture = str(out / "first"), str(out / "first.png")
    merge = ["merge", "recipes/first.yaml", "-o", model, "--force"]
    prompts = ["-p", "@samples/prompts/first.txt", "--steps", "8", "--guidance", "3"]
    return [merge, ["sample", *MODELS, model, *prompts, "-o", picture, "--force"]]


def main(out: Path = Path("out")) -> int:
    """The exit code of the first command that fails, 0 if none does."""
    os.chdir(ROOT)
    for arguments in commands(out):
        print(f"$ sdmerge {' '.join(arguments)}", file=sys.stderr)
        if code := run(arguments):
            return code
    return 0


if __name__ == "__main__":
    sys.exit(main())
