"""The figures of a fusion as tables in the README, and its pictures as a grid beside it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import numpy as np
from PIL import Image
from torch import Tensor

from benchmarks.report import HERE, put, table
from sdmerge.sample.sheet import save, sheet

SHOWN = 4
"""Pictures of each style in the grid."""

_FIGURES = ("content", "style", "harmonic", "both", "CLIP-T", "CLIP-I")


def record(figures: Mapping[str, Any], pictures: Mapping[str, Tensor]) -> None:
    """Write lora_fusion.json, lora_fusion.png and the tables."""
    (HERE / "lora_fusion.json").write_text(json.dumps(figures, indent=1) + "\n", "utf-8")
    save(_grid(pictures).quantize(128), HERE / "lora_fusion.png")
    put("lora_fusion", _text(figures))


def _text(figures: Mapping[str, Any]) -> str:
    fusion = figures["fusion"]
    styles = list(dict.fromkeys(name.split(" | ")[0] for name in fusion))
    parts = ["![A torii in two styles](lora_fusion.png)"]
    for style in styles:
        own = {
            name.split(" | ")[1]: row
            for name, row in fusion.items()
            if name.startswith(f"{style} | ")
        }
        parts.append(f"torii × {style}:")
        parts.append(_table(own, seconds=True))
        log = own["ziplora"]["log"]
        told = ", ".join(f"{name} {first:g} → {last:g}" for name, (first, last) in log.items())
        parts.append(f"ZipLoRA from the first update to the last: {told}.")
    parts += ["English prompts, four steps without guidance unless it says so:",
              _table(figures["few_step"], seconds=False),
              f"{figures['cpu_minutes']} CPU minutes on one thread."]  # fmt: skip
    return "\n\n".join(parts)


def _table(rows: Mapping[str, Any], *, seconds: bool) -> str:
    more = ["seconds"] if seconds else []
    head = ["", *_FIGURES, *(f"CPU {name}" for name in more)]
    lines = [
        [name, *(_share(row[figure]) for figure in _FIGURES), *(row[word] for word in more)]
        for name, row in rows.items()
    ]
    return table(head, lines)


def _share(values: list[float]) -> str:
    mean, low, high = values
    return f"{mean:.3f} ({low:.3f}–{high:.3f})"


def _grid(pictures: Mapping[str, Tensor]) -> Image.Image:
    """A row per method: the same prompts and noise in both styles."""
    rows: dict[str, list[Image.Image]] = {}
    for name, images in pictures.items():
        style, how = name.split(" | ")
        label = how.replace(style, "style")
        step = max(1, len(images) // SHOWN)
        rows.setdefault(label, []).extend(_image(one) for one in images[::step][:SHOWN])
    return sheet([*rows.values()], [*rows], [""] * (2 * SHOWN))


def _image(picture: Tensor) -> Image.Image:
    pixels = ((picture.clamp(-1, 1) + 1) * 127.5).round().byte()
    return Image.fromarray(np.ascontiguousarray(pixels.permute(1, 2, 0).numpy()))
