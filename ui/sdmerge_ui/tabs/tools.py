"""Tools: one file in, one file out: what the commands beside `merge` do, as forms."""

from __future__ import annotations

from typing import Any

import gradio as gr

from sdmerge_ui.element import element
from sdmerge_ui.frame import Frame
from sdmerge_ui.library import SdmergeError
from sdmerge_ui.tools.tool import TOOLS, shown, start, tool_of
from sdmerge_ui.wire import wire

NAME = "tools"
_TURN = "tools"


def build(frame: Frame) -> None:
    """The tab."""
    place, words = frame.place, frame.words
    empty: dict[str, Any] = {"tool": TOOLS[0].name, "values": {}}
    asked = gr.State(empty)
    form = element("tools", words, shown(place, words, TOOLS[0], {}))

    def show(now: dict[str, Any]) -> Any:
        return shown(place, words, tool_of(now["tool"]), now["values"])

    def edit(now: dict[str, Any], event: gr.EventData) -> Any:
        said: dict[str, Any] = event._data  # pyright: ignore[reportPrivateUsage]
        later = {**now, "values": {**now["values"], **dict(said["edits"])}}
        return later, show(later)

    def act(now: dict[str, Any], event: gr.EventData) -> Any:
        said: dict[str, Any] = event._data  # pyright: ignore[reportPrivateUsage]
        if said["do"] == "pick":
            later: dict[str, Any] = {"tool": tool_of(str(said["name"])).name, "values": {}}
            return later, show(later), gr.skip()
        tool = tool_of(now["tool"])
        try:
            start(place, tool, now["values"])
        except SdmergeError as error:
            return gr.skip(), shown(place, words, tool, now["values"], str(error)), gr.skip()
        return gr.skip(), show(now), frame.open_dock()

    wire(form.ready, show, [asked], [form])
    wire(form.edit, edit, [asked], [asked, form], turn=_TURN)
    wire(form.act, act, [asked], [asked, form, frame.dock], turn=_TURN)
