"""Turns: who waits at a screen goes first, as soon as a job gives way."""

from __future__ import annotations

import threading

from sdmerge.jobs.turns import Turns

from .waiting import until


def test_a_job_gives_way_to_all_that_wait() -> None:
    turns, seen = Turns(), list[str]()

    def preview(name: str) -> None:
        with turns.first():
            seen.append(name)

    with turns.job():
        threads = [threading.Thread(target=preview, args=(f"preview {n}",)) for n in range(3)]
        for thread in threads:
            thread.start()
        until(lambda: turns.waiting == 3, "three previews")
        assert seen == []
        turns.give_way()
        assert sorted(seen) == ["preview 0", "preview 1", "preview 2"]
        assert not turns.wanted
        turns.give_way()  # nobody waits who goes first
        seen.append("job")
    for thread in threads:
        thread.join(60)
    assert seen[3:] == ["job"]
    assert not turns.held


def test_a_preview_that_fails_lets_go() -> None:
    turns = Turns()
    try:
        with turns.first():
            raise KeyError
    except KeyError:
        pass
    with turns.job():
        assert turns.held
        assert not turns.wanted
