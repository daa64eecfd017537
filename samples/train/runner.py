"""Runs stages as soon as what they need is there, one per core; done ones are remembered."""

from collections.abc import Callable, Mapping
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from graphlib import TopologicalSorter
from pathlib import Path

from samples.train.stages import Stage

Run = Callable[[Stage, int], None]


def run_all(stages: Mapping[str, Stage], cores: int, run: Run, done: Path) -> None:
    """Call `run(stage, processes)` for every stage that has no mark in the folder `done`.

    A wide stage waits until nothing else runs and takes all cores; it comes before narrow ones.
    What a stage raises comes out after the stages beside it have ended.
    """
    done.mkdir(parents=True, exist_ok=True)
    order = TopologicalSorter({stage.name: stage.needs for stage in stages.values()})
    order.prepare()
    ready: list[str] = []
    running: dict[Future[None], str] = {}
    with ThreadPoolExecutor(cores) as pool:
        while order.is_active():
            ready += order.get_ready()
            ready, finished = _split(ready, done)
            wide = [name for name in ready if stages[name].wide]
            if wide and not running:
                ready.remove(wide[0])
                run(stages[wide[0]], cores)
                finished.append(wide[0])
            while ready and not wide and len(running) < cores:
                name = ready.pop(0)
                running[pool.submit(run, stages[name], 1)] = name
            if running and not finished:
                for future in wait(running, return_when=FIRST_COMPLETED).done:
                    future.result()
                    finished.append(running.pop(future))
            for name in finished:
                (done / name).touch()
            order.done(*finished)


def _split(names: list[str], done: Path) -> tuple[list[str], list[str]]:
    """Those to run, and those that were done before."""
    before = [name for name in names if (done / name).exists()]
    return [name for name in names if name not in before], before
