"""Usage: how full the machine is, at the end of the line above the tabs."""

from __future__ import annotations

import threading
import time

import gradio as gr

from sdmerge_ui.element import element
from sdmerge_ui.frame import Frame
from sdmerge_ui.library import readable
from sdmerge_ui.place import Place
from sdmerge_ui.texts import Words
from sdmerge_ui.wire import wire

_FOR = 2.0
"""Seconds that a look at the machine is good for, whoever asks."""


class Meter:
    """Looks at the machine now and then, for all pages of a language."""

    def __init__(self, place: Place, words: Words) -> None:
        self._place, self._words = place, words
        self._lock = threading.Lock()
        self._at = -_FOR
        self._text = ""

    def text(self) -> str:
        """What is in use, in words. Who asks while another one looks gets what was known before."""
        if time.monotonic() - self._at >= _FOR and self._lock.acquire(blocking=False):
            try:
                self._text, self._at = self._look(), time.monotonic()
            finally:
                self._lock.release()
        return self._text

    def _look(self) -> str:
        found = self._place.jobs.usage(self._place.device)
        both = {"gpu": found.gpu, "ram": found.ram}
        told = [
            self._words(f"usage.{name}", used=readable(one[0]), all=readable(one[1]))
            for name, one in both.items()
            if one is not None
        ]
        return " · ".join([*told, self._words("usage.disk", free=readable(found.disk))])


def empty(words: Words) -> gr.HTML:
    """The element, before anybody has looked."""
    return element("usage", words, "")


def build(line: gr.HTML, frame: Frame) -> None:
    """Keep the line up to date."""
    meter = Meter(frame.place, frame.words)

    def poll(before: str) -> object:
        now = meter.text()
        return gr.skip() if now == before else now

    for event in (line.ready, frame.pulse.tick):
        wire(event, poll, [line], [line], queue=False)
