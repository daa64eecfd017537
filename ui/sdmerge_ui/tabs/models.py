"""Models: what there is, what each of it is, and where two of them differ."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import gradio as gr

from sdmerge_ui import edits
from sdmerge_ui.element import element
from sdmerge_ui.frame import TURN, Frame
from sdmerge_ui.library import Entry, InputError, SdmergeError, read_origin, readable, to_yaml
from sdmerge_ui.measure import Measured, started
from sdmerge_ui.place import Place, brief
from sdmerge_ui.state import Draft
from sdmerge_ui.texts import Words
from sdmerge_ui.wire import wire

NAME = "models"
_LONG = 400


def build(frame: Frame) -> None:
    """The tab."""
    place, words = frame.place, frame.words
    with gr.Row():
        with gr.Column(scale=7, min_width=420):
            table = element("models", words, _table(place, ""))
        with gr.Column(scale=4, min_width=260):
            details = element("details", words, {"name": ""})
    measure = element("measure", words, _measure(place, words, Measured()))
    chosen, measured = gr.State(""), gr.State(Measured())
    clock, reading = gr.Timer(1, active=False), gr.Timer(0.5, active=False)

    def listed() -> Any:
        unread = any(entry.unread for entry in place.inventory.entries())
        table_ = _table(place, "")
        return table_, _measure(place, words, Measured()), gr.Timer(active=unread)

    def act(draft: Draft, event: gr.EventData) -> Any:
        asked: dict[str, Any] = event._data
        name = str(asked.get("name", ""))
        stay = (gr.skip(), gr.skip(), gr.skip(), gr.skip())
        match asked.get("do"):
            case "pick":
                return (name, _table(place, name), _details(place, words, name), *stay[:2])
            case "add":
                return (*stay[:3], draft.edit(edits.add(draft.text, name)), frame.go("merge"))
            case "base":
                text = edits.use_as_base(draft.text, name)
                return (*stay[:3], draft.edit(text), frame.go("merge"))
            case _:
                text = to_yaml(read_origin(_found(place, name).path).recipe)
                return (*stay[:3], draft.edit(text), frame.go("merge"))

    def begin(event: gr.EventData) -> Any:
        asked: dict[str, Any] = event._data
        now = started(place, str(asked["first"]), str(asked["second"]))
        runs = now.number is not None
        return now, _measure(place, words, now), frame.open_dock(), gr.Timer(active=runs)

    def poll(now: Measured) -> Any:
        if (later := now.looked(place)) == now:
            return gr.skip(), gr.skip(), gr.skip()
        return later, _measure(place, words, later), gr.Timer(active=False)

    for event in (table.ready, reading.tick):
        wire(event, listed, None, [table, measure, reading])
    wire(
        table.act, act, [frame.draft], [chosen, table, details, frame.draft, frame.tabs], turn=TURN
    )
    wire(
        details.act,
        act,
        [frame.draft],
        [chosen, table, details, frame.draft, frame.tabs],
        turn=TURN,
    )
    wire(measure.act, begin, None, [measured, measure, frame.dock, clock])
    wire(clock.tick, poll, [measured], [measured, measure, clock], queue=False)


def _table(place: Place, chosen: str) -> dict[str, Any]:
    shelves = place.shelves
    return {
        "models": [_row(shelves, entry) for entry in place.inventory.entries()],
        "chosen": chosen,
        "folder": str(place.workspace.models),
    }


def _row(shelves: Mapping[Path, str], entry: Entry) -> dict[str, Any]:
    shelf = (name for path, name in shelves.items() if entry.path.is_relative_to(path))
    return {
        "shelf": next(shelf, ""),
        "label": label_of(entry),
        "name": entry.name, "path": str(entry.path), "kind": entry.kind, "family": entry.family,
        "layout": entry.layout, "dtype": entry.dtype, "size": readable(entry.size),
        "origin": entry.origin[:8], "error": entry.error, "unread": entry.unread,
    }  # fmt: skip


def label_of(entry: Entry) -> str:
    """What a model is called beside its folder: its name, of a path the end."""
    return entry.path.name if Path(entry.name).is_absolute() else entry.name


def _found(place: Place, name: str) -> Entry:
    entry = place.entry(name)
    if entry is None:
        raise InputError(f"there is no model '{name}'", hint="It may have been moved: look again.")
    return entry


def _details(place: Place, words: Words, name: str) -> dict[str, Any]:
    entry = _found(place, name)
    facts = entry.facts
    told = [("size", readable(entry.size)), ("path", brief(entry.path))]
    if entry.kind == "checkpoint":
        told = [
            ("what", f"{entry.title} {facts['variant']}".strip()),
            *_recognised(words, facts),
            *told,
        ]
    elif entry.kind:
        told = [("what", _adapter(words, facts)), *told]
    recipe = ""
    if entry.origin:
        try:
            recipe = to_yaml(read_origin(entry.path).recipe)
        except SdmergeError as error:
            told.append(("recipe", str(error)))
    metadata = [
        (key, text if len(text) <= _LONG else f"{text[:_LONG]} …")
        for key, text in sorted(facts.get("metadata", {}).items())
        if key != "sdmerge.recipe"
    ]
    return {
        "name": entry.name, "kind": entry.kind, "error": entry.error, "facts": told,
        "recipe": recipe, "metadata": [(key, _plain(text)) for key, text in metadata],
    }  # fmt: skip


def _recognised(words: Words, facts: Any) -> list[tuple[str, str]]:
    """Why it is taken for what it is: what of its family's tensors it has, and what is unknown."""
    tensors, missing, unknown = facts["tensors"], facts["missing"], facts["left_out"]
    found = [
        (
            "recognised",
            words("details.keys", found=f"{tensors:,}", all=f"{tensors + len(missing):,}"),
        )
    ]
    for key, names in (("missing", missing), ("left_out", unknown)):
        if names:
            found.append((key, f"{len(names)}: {', '.join(names[:3])}{' …' if names[3:] else ''}"))
    parts = ", ".join(f"{name} ({count})" for name, count in facts["components"].items())
    dtypes = ", ".join(f"{name} ({count:,})" for name, count in facts["dtypes"].items())
    size = f"{facts['parameters'] / 1e6:,.1f} M"
    return [*found, ("layout", facts["layout"]), ("components", parts), ("dtypes", dtypes),
            ("parameters", size)]  # fmt: skip


def _adapter(words: Words, facts: Any) -> str:
    if facts["kind"] == "embedding":
        return words("details.embedding", count=facts["vectors"], form=facts["form"])
    kinds = ", ".join(f"{name} ({count})" for name, count in facts["kinds"].items())
    ranks = ", ".join(facts["ranks"])
    parts = ", ".join(name or "unet" for name in facts["components"])
    return words("details.lora", kinds=kinds, ranks=ranks, parts=parts)


def _plain(text: str) -> str:
    """JSON within metadata, with its characters as they are read."""
    try:
        return json.dumps(json.loads(text), ensure_ascii=False)
    except ValueError:
        return text


def _measure(place: Place, words: Words, now: Measured) -> dict[str, Any]:
    usable = [entry for entry in place.inventory.entries() if entry.kind in ("checkpoint", "lora")]
    bars = [
        {"label": label, "share": share, "text": f"{share:.1%}"}
        for label, share in now.shares.items()
    ]
    waiting = "measure.running" if now.number is not None else "measure.empty"
    return {
        "first": [entry.name for entry in usable if entry.kind == "checkpoint"],
        "second": [entry.name for entry in usable],
        "bars": bars,
        "text": "" if bars else (now.error or words(waiting)),
        "caption": words("measure.caption", first=now.first, second=now.second) if bars else "",
    }
