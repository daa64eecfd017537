"""A worker that gets ready while nobody waits, and how full the machine is."""

from __future__ import annotations

import shutil
import threading
from pathlib import Path
from typing import Any

import psutil

from sdmerge.errors import SdmergeError
from sdmerge.jobs import Jobs
from sdmerge.jobs.lanes import Lane
from sdmerge.jobs.talk import ask, calling
from sdmerge.jobs.worker import Worker
from sdmerge.workspace import Workspace

from .waiting import until


class Slow:
    """What loads libraries for as long as a test likes."""

    def __init__(self) -> None:
        self.begun, self.over = threading.Event(), threading.Event()

    def warm(self, *_: object) -> None:
        self.begun.set()
        assert self.over.wait(60)

    def gpu(self) -> tuple[int, int]:
        return 6, 24


def told(error: Exception) -> SdmergeError:
    return SdmergeError(str(error))


def test_a_worker_that_only_warms_up_ends_at_once(tmp_path: Path) -> None:
    jobs, slow = Jobs(Workspace(tmp_path)), Slow()
    worker = Worker(jobs.runs.folder, "cpu", lambda *_: None, told)
    worker._studio = slow  # type: ignore[assignment]
    working = threading.Thread(target=worker.work)
    working.start()
    until(lambda: Lane(jobs.runs.folder, "cpu").address(), "the worker")
    warming = threading.Thread(target=jobs.warm)
    warming.start()
    assert slow.begun.wait(60)
    assert asked(jobs, "usage") == {"gpu": [6, 24]}
    # by jobs.free_memory() this very process would be ended, too
    assert asked(jobs, "free") == {"ends": True}
    working.join(60)
    assert not working.is_alive()
    slow.over.set()
    warming.join(60)


def asked(jobs: Jobs, what: str) -> dict[str, Any]:
    address = Lane(jobs.runs.folder, "cpu").address()
    assert address is not None
    with calling(address.port, bytes.fromhex(address.key)) as desk:
        return dict(ask(desk, {"do": what})[0])


def test_how_full_the_machine_is(tmp_path: Path) -> None:
    jobs = Jobs(Workspace(tmp_path / "not" / "yet"))
    found = jobs.usage("cuda:0")
    in_use, whole = found.ram
    assert whole == psutil.virtual_memory().total
    assert 0 < in_use < whole
    assert abs(found.disk - shutil.disk_usage(tmp_path).free) < 1e9
    assert found.gpu is None  # nobody works there
