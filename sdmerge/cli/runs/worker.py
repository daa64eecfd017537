"""`python -m sdmerge.cli.runs.worker RUNS`: the process that works in a lane, or does one job."""

from __future__ import annotations

import argparse
import signal
from pathlib import Path

from sdmerge.cli.explain import explained
from sdmerge.cli.runs.perform import perform
from sdmerge.jobs.folder import Runs
from sdmerge.jobs.worker import IDLE, Worker


def main() -> None:
    """Work until nothing was asked for a while, or do the one job."""
    parser = argparse.ArgumentParser(prog="sdmerge-worker")
    parser.add_argument("runs", type=Path)
    parser.add_argument("--lane", default="cpu")
    parser.add_argument("--run", type=int)
    parser.add_argument("--idle", type=float, default=IDLE)
    asked = parser.parse_args()
    # a shell may have told it to ignore ctrl-C, by which a job in its own process is stopped
    signal.signal(signal.SIGINT, signal.default_int_handler)
    if asked.run is not None:
        perform(Runs(asked.runs), asked.run)
        return
    Worker(asked.runs, asked.lane, perform, explained, idle=asked.idle).work()


if __name__ == "__main__":
    main()
