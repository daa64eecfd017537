"""Tool: a command as a form, its command line, and what it writes."""

from __future__ import annotations

import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from sdmerge_ui import controls
from sdmerge_ui.library import (
    FILES,
    Asked,
    Entry,
    FolderKind,
    InputError,
    Job,
    Param,
    form_of,
    manifest,
    place_in,
)
from sdmerge_ui.place import Place, checked_name, host_of
from sdmerge_ui.texts import Words

Values = Mapping[str, Any]
Kind = Literal["checkpoint", "lora", "made"]
_SUFFIX = ".safetensors"


@dataclass(frozen=True, slots=True)
class Tool:
    """A command on the page.

    sources: Which of what it asks are models, and of what kind.
    fixed: Options that make it this tool. only: What else it asks; nothing: everything.
    method: The merge method whose parameters it takes; "*" lets people choose.
    """

    name: str
    command: tuple[str, ...]
    sources: Mapping[str, Kind]
    fixed: tuple[str, ...] = ()
    only: tuple[str, ...] = ()
    hidden: tuple[str, ...] = ()
    method: str = ""
    writes: Literal["lora", "model", ""] = "model"


TOOLS: Sequence[Tool] = (
    Tool("extract", ("lora", "extract"), {"tuned": "checkpoint", "base": "checkpoint"},
         hidden=("seed", "rounding", "partial"), writes="lora"),
    Tool("resize", ("lora", "resize"), {"lora": "lora"}, writes="lora"),
    Tool("join", ("lora", "merge"), {"loras": "lora", "base": "checkpoint"}, method="*",
         writes="lora"),
    Tool("zip", ("lora", "ziplora"), {"loras": "lora", "base": "checkpoint"}, method="ziplora",
         writes="lora"),
    Tool("bake", ("lora", "bake"), {"model": "checkpoint", "loras": "lora"}),
    Tool("unbake", ("lora", "unbake"), {"model": "checkpoint", "loras": "lora"}),
    Tool("names", ("lora", "convert"), {"lora": "lora", "base": "checkpoint"}, writes="lora"),
    Tool("convert", ("convert",), {"model": "checkpoint"},
         only=("layout", "dtype", "rounding", "taken")),
    Tool("vae", ("convert",), {"model": "checkpoint", "vae": "checkpoint"},
         only=("vae", "layout", "dtype")),
    Tool("prune", ("convert",), {"model": "checkpoint"}, fixed=("--prune",),
         only=("layout", "dtype")),
    Tool("verify", ("verify",), {"file": "made"}, writes=""),
)  # fmt: skip
_BY_NAME = {tool.name: tool for tool in TOOLS}
_NEEDED = {"vae": ("vae",), "extract": ("base",), "zip": ("base",)}
"""Models that the command could do without, and the tool cannot."""
_METHOD = "task_arithmetic"


def tool_of(name: str) -> Tool:
    """The tool called `name`."""
    if name not in _BY_NAME:
        raise InputError(f"there is no tool '{name}'", hint="Choose one of the list.")
    return _BY_NAME[name]


def shown(place: Place, words: Words, tool: Tool, values: Values, error: str = "") -> Any:
    """For the element `tool`."""
    asked = _asked(tool, values)
    try:
        line = shlex.join(["sdmerge", *arguments(place, tool, values)])
        missing = ""
    except InputError as fault:
        line, missing = "", fault.what
    return {
        "tools": [{"name": one.name, "title": words(f"tools.{one.name}"),
                   "help": words(f"tools.{one.name}_help")} for one in TOOLS],
        "chosen": tool.name, "help": words(f"tools.{tool.name}_help"),
        "sources": [_source(place, tool, one, values) for one in asked
                    if one.param.name in tool.sources],
        "fields": [*_method(words, tool, values),
                   *(_field(words, one, values) for one in asked
                     if one.param.name not in tool.sources)],
        "name": values.get("target", ""), "writes": tool.writes,
        "hosts": [host.name for host in place.shown.writable], "where": values.get("where", ""),
        "will": "" if missing or not tool.writes
        else words("tools.will", path=str(_out(place, tool, values))),
        "line": line, "missing": missing, "error": error,
    }  # fmt: skip


def arguments(place: Place, tool: Tool, values: Values) -> list[str]:
    """The command line behind `sdmerge`; an InputError that says what is not chosen yet."""
    free: list[str] = []
    flags: list[str] = [*tool.fixed]
    if tool.method == "*" and values.get("method"):
        flags += ["--method", str(values["method"])]
    for one in _asked(tool, values):
        name = one.param.name
        value = values.get(name)
        needed = one.required or name in _NEEDED.get(tool.name, ())
        if value in (None, "", [], False):
            if needed:
                raise InputError(f"choose {name}")
            continue
        given = value if isinstance(value, list) else [value]
        if name in tool.sources:
            given = [_path(place, str(item), values) for item in given]
        for path in _paths(one, str(value)):
            place.confined.check(path, one.flag)
        if not one.flag:
            free += [word for item in given for word in one.words(item)]
        elif tool.method and _per_model(tool, values, name) and isinstance(value, str):
            flags += [one.flag, value.replace(" ", "")]
        else:
            flags += [word for item in given for word in one.words(item)]
    if not tool.writes:
        return [*tool.command, *free, *flags]
    if not values.get("target"):
        raise InputError("name what it writes")
    return [*tool.command, *free, *flags, "-o", str(_out(place, tool, values))]


def _paths(one: Asked, value: str) -> list[str]:
    """What of a typed value is a path."""
    if one.param.name == "taken":  # tokenizer=FOLDER
        return [value.partition("=")[2].strip()]
    return [part.strip() for part in value.split(",")] if one.param.kind in FILES else []


def start(place: Place, tool: Tool, values: Values) -> Job:
    """The job of a tool."""
    words = arguments(place, tool, values)
    if tool.writes:
        target = _out(place, tool, values)
        if target.exists():
            raise InputError(f"there is '{target.name}' already", hint="Choose another name.")
        target.parent.mkdir(parents=True, exist_ok=True)
    title = str(values.get("target") or tool.name)
    flags = place.flags if tool.command[0] != "lora" else ()
    return place.jobs.submit(place.request(*words, *flags), title=title)


def _asked(tool: Tool, values: Values) -> list[Asked]:
    method = tool.method
    if method == "*":
        method = str(values.get("method") or _METHOD)
    every = form_of(*tool.command, method=method)
    return [
        one for one in every
        if one.param.name not in tool.hidden
        and (not tool.only or one.param.name in (*tool.only, *tool.sources))
        and not (one.param.name == "prune" and tool.fixed)
    ]  # fmt: skip


def _per_model(tool: Tool, values: Values, name: str) -> bool:
    method = str(values.get("method") or _METHOD) if tool.method == "*" else tool.method
    found = next((one for one in manifest()[method].params if one.name == name), None)
    return found is not None and found.per_model


def _method(words: Words, tool: Tool, values: Values) -> list[controls.Field]:
    if tool.method != "*":
        return []
    every = sorted(manifest().values(), key=lambda one: one.title.lower())
    names = tuple(one.name for one in every)
    param = Param("method", "choice", _METHOD, "", choices=names)
    return [{**controls.field(param, "method", values.get("method")),
             "labels": [one.title for one in every], "label": words("tools.method")}]  # fmt: skip


def _field(words: Words, one: Asked, values: Values) -> controls.Field:
    """A control; what has no value of its own is text that may stay empty."""
    param, value = one.param, values.get(one.param.name)
    if param.kind == "bool":
        return {**controls.field(param, param.name, value)}
    if param.kind == "choice":
        choices = param.choices if one.required else ("", *param.choices)
        listed = Param(param.name, "choice", choices[0], param.doc, choices=choices)
        labels = [one or words("tools.default") for one in choices]
        return {**controls.field(listed, param.name, value), "labels": labels}
    text = Param(param.name, "text", "", param.doc)
    span = f"{param.range.low:g} … {param.range.high:g}" if param.range else words("tools.default")
    return {**controls.field(text, param.name, value), "placeholder": span}


def _source(place: Place, tool: Tool, one: Asked, values: Values) -> dict[str, Any]:
    kind = tool.sources[one.param.name]
    entries = [entry for entry in place.inventory.entries() if _fits(entry, kind)]
    value = values.get(one.param.name) or ([] if one.many else "")
    return {
        "name": one.param.name, "many": one.many,
        "weights": one.many and tool.name in ("bake", "unbake"),
        "value": value, "help": one.param.doc,
        "optional": not one.required and one.param.name not in _NEEDED.get(tool.name, ()),
        "choices": [{"name": entry.name, "label": f"{entry.name} · {entry.family}".strip(" ·")}
                    for entry in entries],
        "strengths": values.get("strengths") or {},
    }  # fmt: skip


def _fits(entry: Entry, kind: Kind) -> bool:
    if entry.error:
        return False
    return bool(entry.origin) if kind == "made" else entry.kind == kind


def _path(place: Place, name: str, values: Values) -> str:
    """Where a chosen model lies, with its strength where one was given."""
    entry = place.entry(name)
    if entry is None:
        raise InputError(f"there is no model '{name}'", hint="It may have been moved.")
    strength = (values.get("strengths") or {}).get(name)
    return f"{entry.path}:{float(strength):g}" if strength not in (None, "", 1) else str(entry.path)


def _out(place: Place, tool: Tool, values: Values) -> Path:
    """What is written: a file, or a folder where that is asked for; ours, or in a host."""
    bare = checked_name(str(values["target"])).removesuffix(_SUFFIX)
    whole = values.get("layout") == "diffusers"
    name = bare if whole or values.get("dialect") == "peft" else f"{bare}{_SUFFIX}"
    if not (where := values.get("where")):
        return place.workspace.models / name
    kind: FolderKind = "loras" if tool.writes == "lora" else "diffusers" if whole else "checkpoints"
    return place_in(host_of(place, str(where)), name, kind)
