"""The figures of merging as tables and a plot, in the README and beside it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from benchmarks.report import HERE, keep, put, table


def record(figures: Mapping[str, Any]) -> None:
    """Write merge.json, merge.svg and the tables; parts that were not measured stay as they are."""
    known = HERE / "merge.json"
    before = json.loads(known.read_text("utf-8")) if known.exists() else {}
    figures = before | figures
    keep("merge", figures)
    parts: list[str] = []
    if "methods" in figures:
        (HERE / "merge.svg").write_text(plot(figures["methods"]), "utf-8")
        head = ["", "seconds", "× floor", "GB anonymous"]
        parts += [table(head, _methods(figures["methods"])), "![Seconds per merge](merge.svg)"]
    for name, title in (("models", "models of 0.5 B"), ("size", "billions, two models")):
        if name in figures:
            parts.append(table([title, *_names(figures[name])], _growth(figures[name])))
    measured = " ".join(figures.get("methods", ()))
    peers = figures.get("peers", {}).items()
    tools = [f"{name} {version}" for name, version in peers if name in measured]
    parts.append(". ".join([", ".join([f"{figures['cores']} cores", *tools]), figures["note"]]))
    put("merge", "\n\n".join(parts).strip())


def _methods(methods: Mapping[str, Mapping[str, float]]) -> list[list[object]]:
    return [[name, one["seconds"], one["ratio"], f"{one['gigabytes']:.2f}"]
            for name, one in methods.items()]  # fmt: skip


def _names(growth: Mapping[str, Mapping[str, float]]) -> list[str]:
    return [f"{name}, seconds" for name in next(iter(growth.values()))]


def _growth(growth: Mapping[str, Mapping[str, float]]) -> list[list[object]]:
    return [[size, *(f"{second:.2f}" for second in row.values())] for size, row in growth.items()]


def plot(methods: Mapping[str, Mapping[str, float]]) -> str:
    """Bars of seconds, the longest for the slowest, as SVG."""
    longest = max(one["seconds"] for one in methods.values())
    bars: list[str] = []
    for place, (name, one) in enumerate(methods.items()):
        y, width = 24 * place, max(1.0, 420 * one["seconds"] / longest)
        colour = "#999" if "floor" in name else "#c77" if " " in name else "#47a"
        bars.append(
            f'<text x="150" y="{y + 16}" text-anchor="end">{name}</text>'
            f'<rect x="156" y="{y + 4}" width="{width:.1f}" height="16" fill="{colour}"/>'
            f'<text x="{160 + width:.1f}" y="{y + 16}">{one["seconds"]:.1f} s</text>'
        )
    height = 24 * len(methods) + 4
    head = f'<svg xmlns="http://www.w3.org/2000/svg" width="640" height="{height}"'
    style = 'font-family="sans-serif" font-size="12"'
    return "\n".join([f'{head} {style}><rect width="100%" height="100%" fill="#fff"/>', *bars,
                      "</svg>", ""])  # fmt: skip
