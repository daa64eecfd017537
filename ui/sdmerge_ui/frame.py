"""Frame: what every tab is handed: the place, the words, the draft, and ways to go elsewhere."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import gradio as gr

from sdmerge_ui.place import Place
from sdmerge_ui.texts import Words

TURN = "draft"
"""The turn of events that change the draft, so that none is lost."""


@dataclass(frozen=True)
class Frame:
    """A page as it is put together.

    draft: The State that holds the Draft; `draft.change` tells of every edit.
    pulse: A Timer that ticks once a second, for polls with `queue=False`.
    load: The page's load event.
    """

    place: Place
    words: Words
    draft: gr.State
    tabs: gr.Tabs
    dock: gr.Sidebar
    pulse: gr.Timer
    load: Any

    def go(self, tab: str) -> gr.Tabs:
        """What an event returns for `tabs` to show another tab."""
        return gr.Tabs(selected=tab)

    def open_dock(self) -> gr.Sidebar:
        """What an event returns for `dock` to show the jobs."""
        return gr.Sidebar(open=True)
