"""Evolve: a search of the draft, set up in five steps, and the studies that grow meanwhile."""

from __future__ import annotations

from typing import Any

import gradio as gr

from sdmerge_ui import edits
from sdmerge_ui.element import element
from sdmerge_ui.evolve import budget, check, goal, space, studies
from sdmerge_ui.evolve.watch import Watch
from sdmerge_ui.frame import TURN, Frame
from sdmerge_ui.library import InputError, RecipeError, SdmergeError
from sdmerge_ui.merge.view import View
from sdmerge_ui.state import EMPTY, Draft
from sdmerge_ui.wire import on, wire

NAME = "evolve"
_CHECK = "check"


def build(frame: Frame) -> None:  # noqa: PLR0915 - controls, what they do and their wires
    """The tab."""
    place, words = frame.place, frame.words
    watch = Watch(place)
    with (
        gr.Accordion(words("begin.title"), open=False, elem_id="sd-new-study") as setup,
        gr.Tabs(elem_id="sd-steps") as steps,
    ):
        with gr.Tab(words("begin.step_ingredients"), id=1) as first_:
            parts = element("parts", words, _parts(frame, EMPTY))
        with gr.Tab(words("begin.step_space"), id=2) as two:
            marks = element("space", words, _space(frame, EMPTY))
        with gr.Tab(words("begin.step_goal"), id=3) as three:
            prompts = element("form", words, goal.prompt_form(place, words, EMPTY))
            with gr.Accordion(words("goal.paste"), open=False):
                lines = gr.Textbox(label=words("goal.lines"), lines=5, elem_id="sd-lines")
                with gr.Row(elem_classes=["lower"]):
                    called = gr.Textbox(label=words("goal.name"), placeholder="portraits",
                                        max_lines=1, elem_id="sd-lines-name")  # fmt: skip
                    split = gr.Checkbox(True, label=words("goal.split"))
                    keep = gr.Button(words("goal.keep"), elem_id="sd-keep-lines", size="md")
            scorers = element("scorers", words, goal.scorers(place, words, EMPTY),
                              parts=("form",))  # fmt: skip
        with gr.Tab(words("begin.step_budget"), id=4) as four, gr.Row():
            with gr.Column():
                engine = element("form", words, budget.engine_form(words, EMPTY))
            with gr.Column():
                gr.Markdown(words("goal.how_long"))
                numbers = element("form", words, budget.number_form(words, EMPTY))
            with gr.Column():
                gr.Markdown(words("goal.drawing"))
                sampler = element("form", words, budget.sampler_form(words, EMPTY))
        with gr.Tab(words("begin.step_check"), id=5) as last:
            result = element("begin", words, {"empty": True})
            with gr.Row(elem_classes=["lower"]):
                name = gr.Textbox(label=words("begin.name"), placeholder="portraits",
                                  max_lines=1, scale=3, elem_id="sd-study-name")  # fmt: skip
                added = gr.Dropdown([], multiselect=True, label=words("begin.added"), scale=4)
                start = gr.Button(words("begin.start"), variant="primary", scale=2,
                                  elem_id="sd-evolve")  # fmt: skip
    view = element("study", words, watch.shown(words, ""))
    chosen, seen = gr.State(""), gr.State(None)
    sane, told = gr.State(None), gr.State(None)
    checking = gr.State(False)
    forms = [parts, marks, prompts, scorers, engine, numbers, sampler]

    def show(draft: Draft) -> Any:
        text = draft.text
        try:
            return (_parts(frame, text), _space(frame, text), goal.prompt_form(place, words, text),
                    goal.scorers(place, words, text), budget.engine_form(words, text),
                    budget.number_form(words, text), budget.sampler_form(words, text))  # fmt: skip
        except RecipeError:
            return [gr.skip()] * len(forms)

    def edit(draft: Draft, event: gr.EventData) -> Draft:
        asked: dict[str, Any] = event._data  # pyright: ignore[reportPrivateUsage]
        changed = draft.text
        for address, value in asked["edits"]:
            changed = budget.put(changed, str(address), value)
        return draft.edit(changed, asked["gesture"])

    def act(draft: Draft, event: gr.EventData) -> Any:
        asked: dict[str, Any] = event._data  # pyright: ignore[reportPrivateUsage]
        match asked["do"]:
            case "merge":
                return gr.skip(), frame.go("merge"), gr.skip()
            case "step":
                return gr.skip(), gr.skip(), gr.Tabs(selected=int(asked["to"]))
            case _:
                return draft.edit(goal.acted(place, draft.text, asked)), gr.skip(), gr.skip()

    def pasted(draft: Draft, written: str, called_: str, split_: bool) -> Any:
        changed, how = goal.keep(place, draft.text, called_, written, split=split_)
        gr.Info(words(f"goal.kept_{how or 'whole'}"), title="sdmerge")
        return draft.edit(changed), ""

    def look(draft: Draft, name_: str, number: int | None) -> Any:
        found = check.checked(place, words, draft.text, name_)
        return {**found, "sanity": check.sanity(place, words, number)}, gr.Dropdown(
            choices=place.recipe_names()
        )

    def again(wanted: bool, draft: Draft, name_: str, number: int | None) -> Any:
        return look(draft, name_, number) if wanted else (gr.skip(), gr.skip())

    def sanity(draft: Draft, name_: str) -> Any:
        number = studies.sanity(place, draft.text).number
        return number, look(draft, name_, number)[0], frame.open_dock()

    def begin(draft: Draft, name_: str, added_: list[str] | None) -> Any:
        if error := check.checked(place, words, draft.text, name_)["error"]:
            raise InputError(error)
        job = studies.start(place, draft.text, name_, added_ or [])
        return (draft.was_run(job.number), job.title, gr.Accordion(open=False), frame.open_dock(),
                watch.shown(words, job.title), None)  # fmt: skip

    def poll(name_: str, before: Any, number: int | None, said: Any, draft: Draft,
             study: str) -> Any:  # fmt: skip
        try:
            stamp = watch.stamp(name_)
        except SdmergeError as error:
            stamp = (name_, str(error))
        new = (gr.skip(), gr.skip()) if stamp == before else (watch.shown(words, name_), stamp)
        if number is None:
            return (*new, gr.skip(), gr.skip())
        now = check.sanity(place, words, number)
        if now == said:
            return (*new, gr.skip(), gr.skip())
        return (*new, look(draft, study, number)[0], now)

    def first() -> Any:
        every = studies.folders(place)
        name_ = every[0].name if every else ""
        return name_, watch.shown(words, name_), gr.Accordion(open=not every)

    def studied(draft: Draft, name_: str, event: gr.EventData) -> Any:
        asked: dict[str, Any] = event._data  # pyright: ignore[reportPrivateUsage]
        stay = gr.skip()
        tab, dock = stay, stay
        folder = studies.folder_of(place, name_) if name_ else None
        match asked["do"], folder:
            case "pick", _:
                name_ = str(asked["name"])
            case "pause", folder if folder:
                studies.pause(place, folder)
            case "go", folder if folder:
                more = asked.get("trials")
                studies.go_on(place, folder, int(more) if more else None)
                dock = frame.open_dock()
            case "add", folder if folder:
                called_ = studies.add(place, folder, draft.text)
                gr.Info(words("study.added", name=called_), title="sdmerge")
            case "open", folder if folder:
                if (text := watch.winner(name_)) is not None:
                    draft, tab = draft.edit(text), frame.go("merge")
            case "export", folder if folder:
                studies.export(place, folder, model=bool(asked["model"]), test=bool(asked["test"]))
                dock = frame.open_dock()
            case _:
                pass
        # a poll may have told newer things meanwhile: the next one tells them again
        return draft, name_, watch.shown(words, name_), tab, dock, None

    for event in (frame.draft.change, *(one.ready for one in forms)):
        wire(event, show, [frame.draft], forms)
    for one in (marks, prompts, scorers, engine, numbers, sampler):
        wire(one.edit, edit, [frame.draft], [frame.draft], turn=TURN)
    for one in (parts, marks, scorers):
        wire(one.act, act, [frame.draft], [frame.draft, frame.tabs, steps], turn=TURN)
    wire(keep.click, pasted, [frame.draft, lines, called, split], [frame.draft, lines], turn=TURN)
    checked = [frame.draft, name, sane]
    for event in (on(last.select, name.change), result.ready):
        wire(event, look, checked, [result, added], turn=_CHECK)
    # an edit may arrive after the tab was chosen, and is checked after what was there before
    wire(frame.draft.change, again, [checking, *checked], [result, added], turn=_CHECK)
    wire(last.select, lambda: True, None, [checking])
    wire(on(*(one.select for one in (first_, two, three, four))), lambda: False, None, [checking])
    wire(result.act, sanity, [frame.draft, name], [sane, result, frame.dock], mode="once")
    wire(start.click, begin, [frame.draft, name, added],
         [frame.draft, chosen, setup, frame.dock, view, seen], mode="once", turn=TURN)  # fmt: skip
    wire(view.ready, first, None, [chosen, view, setup])
    wire(view.act, studied, [frame.draft, chosen],
         [frame.draft, chosen, view, frame.tabs, frame.dock, seen], turn=TURN)  # fmt: skip
    wire(frame.pulse.tick, poll, [chosen, seen, sane, told, frame.draft, name],
         [view, seen, result, told], queue=False)  # fmt: skip


def _parts(frame: Frame, text: str) -> dict[str, Any]:
    """What is searched: the models and the method of the draft, as the plan sees them."""
    view = View(frame.place, frame.words, text)
    error = ""
    if view.names:
        try:
            frame.place.plan(text)
        except SdmergeError as found:
            error = str(found)
    return {
        "base": view.base, "models": view.labels, "error": error,
        "method": view.spec.title if view.spec else "",
    }  # fmt: skip


def _space(frame: Frame, text: str) -> dict[str, Any]:
    view = View(frame.place, frame.words, text)
    on_ = edits.value_at(view.stage, "evolve") is not None
    return {"rows": space.rows(view), "groups": list(space.GROUPS), "begun": on_}
