"""The miniature of EvoSDXL-JP: is what evolution finds better, and by how much?

`python -m benchmarks.evolution --folder DIR --record` searches for merges of the sample models that
draw Japanese prompts in ukiyo-e in two steps without guidance, which no parent can, and compares
them with merges that nobody searched. What searches maximise is the CLIP score of `clip_a`; what is
reported is the oracle's and `clip_b`'s word on held-out prompts and fresh noise. About two hours of
one core; stopped, it goes on where it was. `--quick` tries everything with few pictures, `--only`
the searches whose names hold a word. `--part N/OF` does a share of the searches, so that several
processes may divide them; without it the tables are made of what they found.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

from benchmarks.evolution.judging import Judge, Judged
from benchmarks.evolution.reporting import described, record
from benchmarks.evolution.rows import Searched, fixed_rows, searched_rows
from benchmarks.evolution.searching import FULL, QUICK, Effort, Studio, search
from benchmarks.report import benchmark


def main() -> None:
    """Print the tables as JSON, and write them where they are shown if asked to."""
    more = {
        "seeds": {"type": int, "default": 3, "help": "of the optimiser, at most"},
        "only": {"default": "", "metavar": "WORD", "help": "the searches whose names hold it"},
        "part": {"default": "1/1", "metavar": "N/OF", "help": "a share of the searches"},
    }
    benchmark(__doc__, measure, record, more=more)


def measure(options: Any) -> dict[str, Any]:
    """Everybody judged; of a part, how many it was."""
    part, parts = map(int, options.part.split("/"))
    if options.record and (parts > 1 or options.only):
        raise SystemExit("the tables are of everybody: --record goes without --part and --only")
    effort = QUICK if options.quick else replace(FULL, seeds=options.seeds)
    rows = [row for row in searched_rows() if options.only in row.name]
    judged = run(options.folder, effort, rows, part=part - 1, parts=parts)
    return described(judged) if parts == 1 else {"judged": len(judged)}


def run(
    folder: Path, effort: Effort, rows: list[Searched], *, part: int = 0, parts: int = 1
) -> list[Judged]:
    """Everything judged; of several parts only the searches of one are run."""
    folder.mkdir(parents=True, exist_ok=True)
    studio = Studio(folder)
    judge = Judge(studio, folder, effort)
    wanted = [(row, seed) for seed in range(effort.seeds) for row in rows if seed < row.seeds]
    judged = [] if part else [judge.fixed(row) for row in fixed_rows()]
    for row, seed in wanted[part::parts]:
        name = "".join(letter if letter.isalnum() else "-" for letter in row.name)
        found = search(studio, row, seed, folder / f"{name}-{seed}", effort)
        judged.append(judge.judge(row.name, seed, found.recipe, found))
    studio.evaluator.close()
    return judged


if __name__ == "__main__":
    main()
