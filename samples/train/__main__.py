"""python -m samples.train STAGE: draws, trains, exports and measures the samples; or `all`."""

import os
import subprocess
import sys
from pathlib import Path

import click

from samples.train.stages import STAGES, Stage

processes = click.option("--processes", default=2, show_default=True, help="One per core.")


@click.group()
def main() -> None:
    """Make the samples again, from nothing: `all`, or one stage after the other.

    Training goes on from its last checkpoint when it was stopped.
    """


def _stage(stage: Stage) -> None:
    @main.command(stage.name, help=stage.help)
    @processes
    def command(processes: int) -> None:
        stage.run(processes)


for _each in STAGES.values():
    if _each.name != "table":  # it can also check
        _stage(_each)


@main.command()
@processes
@click.option("--check", is_flag=True, help="Only compare with the stored figures.")
def table(processes: int, *, check: bool) -> None:
    """Measure all; write the README's tables."""
    if not check:
        STAGES["table"].run(processes)
        return
    from samples.train.readme import differences
    from samples.train.scores import measure_all

    if changed := differences(measure_all(processes)):
        raise click.ClickException("\n".join(changed))


@main.command("all")
@processes
@click.option("--out", type=click.Path(path_type=Path), help="Another folder than samples/.")
@click.option("--share", default=1.0, show_default=True, help="Do a share of all work, as a trial.")
def everything(processes: int, out: Path | None, share: float) -> None:
    """Run every stage, those that do not wait for each other side by side."""
    from samples.train.paths import work_in
    from samples.train.runner import run_all

    environment = os.environ | {"SAMPLES_SHARE": str(share)}
    if out is not None:
        environment["SAMPLES_OUT"] = str(out.resolve())
    elif share != 1:
        raise click.UsageError("--share makes worse models; say with --out where they go.")

    def run(stage: Stage, cores: int) -> None:
        command = [sys.executable, "-m", "samples.train", stage.name, "--processes", str(cores)]
        print(f"{stage.name}: {stage.help}", file=sys.stderr, flush=True)
        if subprocess.run(command, env=environment, check=False).returncode:
            raise click.ClickException(f"{stage.name} failed; run it again to go on from there")

    run_all(STAGES, processes, run, work_in(out) / "done")


if __name__ == "__main__":
    main()
