"""Dock: the jobs of the workspace, the same beside every tab, as they are on the disk."""

from __future__ import annotations

import time
from typing import Any

import gradio as gr

from sdmerge_ui.element import element
from sdmerge_ui.frame import TURN, Frame
from sdmerge_ui.library import Job
from sdmerge_ui.place import Place
from sdmerge_ui.state import Draft
from sdmerge_ui.wire import wire

_ENDED = 8


def build(frame: Frame) -> None:
    """The dock, inside of its sidebar."""
    place = frame.place
    cards = element("dock", frame.words, {"jobs": []})
    seen = gr.State({"jobs": []})

    def fresh() -> Any:
        now = {"jobs": listed(place)}
        return now, now

    def poll(before: dict[str, Any]) -> Any:
        now, _ = fresh()
        return (gr.skip(), gr.skip()) if now == before else (now, now)

    def act(draft: Draft, event: gr.EventData) -> Any:
        asked: dict[str, Any] = event._data
        number = int(asked["number"])
        if asked["do"] == "open":
            text = place.find_recipe(str(number))
            changed = draft.edit(text) if text else gr.skip()
            return changed, frame.go("merge"), gr.skip(), gr.skip()
        _ordered(place, str(asked["do"]), number)
        return gr.skip(), gr.skip(), *fresh()

    # what a poll told before the cards were on the page is lost
    wire(cards.ready, fresh, None, [cards, seen])
    wire(frame.pulse.tick, poll, [seen], [cards, seen], queue=False)
    wire(cards.act, act, [frame.draft], [frame.draft, frame.tabs, cards, seen], turn=TURN)


def listed(place: Place) -> list[dict[str, Any]]:
    """What runs, what waits in its order, and the last that ended."""
    jobs = place.jobs.all()
    running = [job for job in jobs if job.state == "running"]
    waiting = sorted((job for job in jobs if job.state == "queued"), key=lambda job: job.place)
    ended = sorted((job for job in jobs if job.over), key=lambda job: -(job.ended or job.created))
    return [_card(place, job) for job in [*running, *waiting, *ended[:_ENDED]]]


def _ordered(place: Place, what: str, number: int) -> None:
    jobs = place.jobs
    match what:
        case "stop":
            jobs.cancel(number)
        case "kill":
            jobs.kill(number)
        case "retry":
            jobs.retry(number)
        case _:
            jobs.move(number, up=what == "up")


def _card(place: Place, job: Job) -> dict[str, Any]:
    told = place.jobs.progress(job.number) if job.state == "running" else None
    return {
        "number": job.number,
        "kind": job.kind,
        "title": job.title,
        "state": job.state,
        "error": str(job.error) if job.error else "",
        "results": [path.name for path in job.results],
        "recipe": job.recipe.is_file(),
        "progress": dict(told.data) if told else None,
        "stopping": _stopping(job),
    }


def _stopping(job: Job) -> int:
    """Seconds since it was asked to stop; -1 if it was not."""
    if job.state != "running":
        return -1
    try:
        return round(time.time() - job.stop.stat().st_mtime)
    except FileNotFoundError:
        return -1
