"""Wire: how events are bound, the same everywhere: private, without spinners, errors as words."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any, Literal, get_type_hints

import gradio as gr

from sdmerge_ui.library import Cancelled, SdmergeError

AT_ONCE = 16
"""Events of a kind that run at the same time; Gradio's own default is 1."""


def wire(
    event: Callable[..., Any],
    function: Callable[..., Any] | None,
    inputs: Any = None,
    outputs: Any = None,
    *,
    queue: bool = True,
    mode: Literal["once", "multiple", "always_last"] | None = None,
    turn: str | None = None,
    js: str | None = None,
) -> None:
    """Bind an event to a function.

    mode: What happens to an event while one of the same kind runs: see Gradio's `trigger_mode`.
        As a rule the last one waits; one that says something is sent at once, as those that wait
        are sent with what the first one said.
    turn: Events of the same turn run one after the other, over all pages: what changes the draft.
    """
    if mode is None:
        mode = "multiple" if function is not None and _hears(function) else "always_last"
    event(
        told(function) if function is not None else None, inputs, outputs,
        queue=queue, trigger_mode=mode, show_progress="hidden", api_visibility="private",
        concurrency_limit=1 if turn else AT_ONCE, concurrency_id=turn, js=js,
    )  # fmt: skip


def _hears(function: Callable[..., Any]) -> bool:
    """Whether a function takes what the event says."""
    return gr.EventData in get_type_hints(function).values()


def on(*events: Callable[..., Any]) -> Callable[..., Any]:
    """Several events as one, for `wire`."""
    return functools.partial(gr.on, list(events))


def told(function: Callable[..., Any]) -> Callable[..., Any]:
    """The function; an error of ours is shown in a corner of the page, and nothing changes."""

    @functools.wraps(function)
    def telling(*arguments: Any) -> Any:
        try:
            return function(*arguments)
        except Cancelled:
            return gr.skip()
        except SdmergeError as error:
            gr.Warning(str(error), title="sdmerge")
            return gr.skip()

    return telling
