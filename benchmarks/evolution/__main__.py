"""The miniature of EvoSDXL-JP: is what evolution finds better, and by how much?

`python -m benchmarks.evolution --folder DIR --record` searches for merges of the sample models that
draw Japanese prompts in ukiyo-e in two steps without guidance, which no parent can, and compares
them with merges that nobody searched. What searches maximise is the CLIP score of `clip_a`; what is
reported is the oracle's and `clip_b`'s word on held-out prompts and fresh noise. About two hours of
one core; stopped, it goes on where it was. `--quick` tries everything with few pictures, and
`--part N/OF` does a share of the searches, so that several processes may divide them.
"""

from __future__ import annotations

import argparse
from dataclasses import replace
from pathlib import Path

from benchmarks.evolution.judging import Judge, Judged
from benchmarks.evolution.reporting import record, said
from benchmarks.evolution.rows import fixed_rows, searched_rows
from benchmarks.evolution.searching import FULL, QUICK, Effort, Studio, search


def main() -> None:
    """Run the benchmark as the options say."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--folder", type=Path, required=True, help="where studies are kept")
    parser.add_argument("--quick", action="store_true", help="few pictures, to try the script")
    parser.add_argument("--seeds", type=int, default=3, help="of the optimiser, at most")
    parser.add_argument("--part", default="1/1", metavar="N/OF", help="a share of the searches")
    parser.add_argument("--record", action="store_true", help="write the tables to the README")
    parser.add_argument("--note", default="", help="a sentence on the circumstances")
    options = parser.parse_args()
    part, parts = map(int, options.part.split("/"))
    effort = QUICK if options.quick else replace(FULL, seeds=options.seeds)
    judged = run(options.folder, effort, part=part - 1, parts=parts)
    if parts == 1:
        print(said(judged))  # noqa: T201
        if options.record:
            record(judged, options.note)


def run(folder: Path, effort: Effort, *, part: int = 0, parts: int = 1) -> list[Judged]:
    """Everything judged; of several parts only the searches of one are run."""
    folder.mkdir(parents=True, exist_ok=True)
    studio = Studio(folder)
    judge = Judge(studio, folder, effort)
    wanted = [
        (row, seed) for seed in range(effort.seeds) for row in searched_rows() if seed < row.seeds
    ]
    judged = [] if part else [judge.fixed(row) for row in fixed_rows()]
    for row, seed in wanted[part::parts]:
        name = "".join(letter if letter.isalnum() else "-" for letter in row.name)
        found = search(studio, row, seed, folder / f"{name}-{seed}", effort)
        judged.append(judge.judge(row.name, seed, found.recipe, found))
    return judged


if __name__ == "__main__":
    main()
