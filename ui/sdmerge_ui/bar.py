"""Bar: the line above the tabs: the workspace, undo and redo, what changed since the last run."""

from __future__ import annotations

from typing import Any

import gradio as gr

from sdmerge_ui.element import element
from sdmerge_ui.frame import TURN, Frame
from sdmerge_ui.library import recipe_id
from sdmerge_ui.place import brief
from sdmerge_ui.state import Draft
from sdmerge_ui.wire import on, wire


def build(bar: gr.HTML, frame: Frame) -> None:
    """Wire the bar, which stands above everything that it needs."""
    place, words = frame.place, frame.words

    def show(draft: Draft) -> dict[str, Any]:
        return shown(frame, draft)

    def act(draft: Draft, event: gr.EventData) -> Any:
        asked: dict[str, Any] = event._data
        match asked["do"]:
            case "undo":
                return draft.undo(), gr.skip()
            case "redo":
                return draft.redo(), gr.skip()
            case "free":
                ended = place.jobs.free_memory(place.device)
                gr.Info(words("bar.freed" if ended else "bar.nothing_to_free"), title="sdmerge")
                return gr.skip(), gr.skip()
            case _:
                known = recipe_id(place.parse(draft.text))[:12]
                place.save_recipe(f"link-{known}", draft.text)
                gr.Info(words("bar.linked"), title="sdmerge")
                return gr.skip(), {**shown(frame, draft), "link": f"?tab=merge&recipe={known}"}

    wire(on(frame.load, frame.draft.change), show, [frame.draft], [bar])
    wire(bar.act, act, [frame.draft], [frame.draft, bar], turn=TURN)
    wire(bar.unread, lambda: None, mode="multiple")  # see stream.js


def empty(frame_words: Any, place: Any) -> gr.HTML:
    """The bar, before there is anything to wire."""
    return element("bar", frame_words, _value(place, Draft(), frame_words.language))


def shown(frame: Frame, draft: Draft) -> dict[str, Any]:
    """What the bar says of a draft."""
    return _value(frame.place, draft, frame.words.language)


def _value(place: Any, draft: Draft, language: str) -> dict[str, Any]:
    return {
        "undo": bool(draft.past), "redo": bool(draft.future), "run": draft.run,
        "changes": draft.changes(), "place": brief(place.workspace.folder), "language": language,
    }  # fmt: skip
