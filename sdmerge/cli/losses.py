"""What a LoRA lost of the change that it stands for, as data and for people."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sdmerge.cli.output import Output

_WORST = 3


def loss_data(sink: Any) -> dict[str, Any]:
    """What a LoRA sink has kept, as plain data."""
    summary = dict(sink.summary())
    rank, error = summary.pop("")
    modules = [
        {"name": key, "rank": own, "error": off}
        for key, (own, off) in sorted(summary.items(), key=lambda one: -one[1][1])
    ]
    return {
        "dialect": sink.dialect,
        "rank": rank,
        "error": error,
        "modules": modules,
        "left_out": dict(sink.left_out),
    }


def print_loss(output: Output, data: Mapping[str, Any]) -> None:
    """The truncation error in total and of the worst modules."""
    modules: list[dict[str, Any]] = data["modules"]
    output.text(
        f"{len(modules)} modules of rank {data['rank']} or less; "
        f"relative error of the whole {data['error']:.2e}"
    )
    if data["error"] > 0:
        rows = [(one["name"], one["rank"] or "", f"{one['error']:.2e}") for one in modules[:_WORST]]
        output.table("", ("largest errors", "rank", "error"), rows)
    if data["left_out"]:
        output.table("", ("left out", "why"), list(data["left_out"].items()))
