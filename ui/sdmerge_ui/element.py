"""Element: a part of the page with a script of its own, made of an asset and a value.

The script builds the element once and changes it as its value does; it says what its user does by
`trigger`. User's texts reach the page as `textContent` only.
"""

from __future__ import annotations

import functools
import json
from importlib import resources
from typing import Any

import gradio as gr

from sdmerge_ui.texts import Words


def element(
    name: str, words: Words, value: Any = None, *, parts: tuple[str, ...] = (), **options: Any
) -> gr.HTML:
    """The element of `assets/NAME.js`, with the texts below `NAME.`, `common.` and `parts`."""
    # as props they would be lost where a value comes before the element is on the page
    texts = json.dumps(dict(words.below(name, "common", *parts)), ensure_ascii=False)
    return gr.HTML(
        value,
        html_template=f'<div class="sd-{name}"></div>',
        js_on_load=f"const words = {texts};\n{asset('dom.js')}\n{asset(f'{name}.js')}",
        apply_default_css=False,
        elem_classes=["sd", *options.pop("elem_classes", [])],
        **options,
    )


@functools.cache
def asset(name: str) -> str:
    """The text of an asset."""
    return resources.files("sdmerge_ui").joinpath("assets", name).read_text("utf-8")


def styles() -> str:
    """All style sheets as one: the frame's, then those of tabs."""
    folder = resources.files("sdmerge_ui").joinpath("assets")
    names = sorted(one.name for one in folder.iterdir() if one.name.endswith(".css"))
    return "\n".join(map(asset, sorted(names, key=lambda one: one != "style.css")))
