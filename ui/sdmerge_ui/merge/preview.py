"""Preview: what a draft draws of the probe prompts, by the worker that keeps a pipeline."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sdmerge_ui.library import InputError, Wish
from sdmerge_ui.place import SAMPLES, Place
from sdmerge_ui.texts import Words

_BEFORE = 5
_MOST = 16
_PROMPTS = ("portrait of a woman in the evening sun", "a hand that holds a cup", "a city at night")


def probe_prompts(place: Place) -> str:
    """The prompts that a preview begins with: three that say something about most models."""
    file = SAMPLES / "prompts" / "first-ukiyoe.txt"
    if place.samples and file.is_file():
        return "\n".join(file.read_text("utf-8").splitlines()[:3])
    return "\n".join(_PROMPTS)


def wish_of(
    place: Place, text: str, lines: Sequence[str], *, seed: int, steps: int | None, owner: str = ""
) -> Wish:
    """What the worker is asked for: a picture of a draft per line."""
    return Wish(
        recipe=text, shots=tuple((line, seed) for line in lines),
        sampling={"steps": steps} if steps else {}, folder=place.workspace.folder,
        roots=place.shown.roots, owner=owner, allow_pickle=place.allow_pickle,
    )  # fmt: skip


def drawn(
    place: Place, words: Words, text: str, *,
    prompts: str, seed: int, steps: int | None, owner: str, before: dict[str, Any],
) -> dict[str, Any]:  # fmt: skip
    """The value of the element `pictures`, with what was there before."""
    lines = [line.strip() for line in prompts.splitlines() if line.strip()]
    if not lines or len(lines) > _MOST:
        raise InputError(f"a preview takes 1 to {_MOST} prompts, a line each")
    place.parse(text)  # nothing outside is even looked for by the worker
    wish = wish_of(place, text, lines, seed=seed, steps=steps, owner=owner)
    preview = place.jobs.preview(wish, device=place.device)
    known = preview.recipe_id[:8]
    pictures = [
        {
            "address": place.keep_picture(png),
            "caption": line,
            "alt": words("pictures.alt", recipe=known, prompt=line, seed=seed),
            "recipe": known,
        }
        for png, line in zip(preview.pictures, lines, strict=True)
    ]
    text = words(
        "pictures.took", merge=f"{preview.merge_seconds:.2f}", draw=f"{preview.draw_seconds:.1f}",
        tensors=preview.tensors, steps=preview.sampling.get("steps", "–"), recipe=known,
    )  # fmt: skip
    earlier = [*(before.get("pictures") or [])[:1], *(before.get("before") or [])]
    told = f"{text} {preview.why}".strip()
    return {"pictures": pictures, "text": told, "before": earlier[:_BEFORE]}
