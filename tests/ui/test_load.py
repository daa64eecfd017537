"""Many people at one app: everybody gets what they asked for, and nothing grows."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import psutil
import pytest
from sdmerge_ui.place import Place

from sdmerge.jobs.lanes import Lane
from sdmerge.recipe import parse_recipe, recipe_id
from sdmerge.sample.picture import read_record

from .visitor import Visitor

WEIGHT = "models[1].parameters.weight"


def clicks(address: str, place: Place, number: int, seconds: float, rounds: int) -> list[float]:
    """Move a slider of one's own draft again and again; how long each picture took."""
    visitor, taken = Visitor(address), list[float]()
    visitor.load()
    visitor.values[visitor.part("sd-steps")] = 1
    visitor.say("ingredients", "act", {"do": "try"})
    end = time.monotonic() + seconds
    while len(taken) < rounds or time.monotonic() < end:
        weight = round(0.01 + 0.001 * number + 0.05 * (len(taken) % 20), 4)
        began = time.monotonic()
        visitor.say("ingredients", "edit", {"edits": [[WEIGHT, weight]], "gesture": str(began)})
        taken.append(time.monotonic() - began)
        looked(visitor, place, weight)
    assert not visitor.warnings
    visitor.close()
    return taken


def looked(visitor: Visitor, place: Place, weight: float) -> None:
    """Assert that recipe, plan and picture are one's own."""
    text = visitor.value("sd-yaml")
    recipe = parse_recipe(text, "recipe")
    assert f"weight: {weight:g}" in text
    known = recipe_id(recipe)[:8]
    assert visitor.value("plan")["id"] == known
    pictures = visitor.value("pictures")
    assert "error" not in pictures
    assert {one["recipe"] for one in pictures["pictures"]} == {known}
    for one in pictures["pictures"]:
        png = place.previews / Path(one["address"]).name
        assert read_record(png).recipe_id == recipe_id(recipe)


def together(
    address: str, place: Place, visitors: int, *, seconds: float = 0, rounds: int = 1
) -> list[float]:
    """What each click of so many people took, all at once."""
    with ThreadPoolExecutor(visitors) as pool:
        asked = [
            pool.submit(clicks, address, place, one, seconds, rounds) for one in range(visitors)
        ]
        return [second for one in asked for second in one.result()]


def memory(server: int, place: Place) -> int:
    """Bytes of the server and of its worker."""
    address = Lane(place.jobs.runs.folder, "cpu").address()
    assert address is not None
    return sum(psutil.Process(pid).memory_info().rss for pid in (server, address.pid))


def test_everybody_has_a_draft_of_their_own(app: str, place: Place) -> None:
    assert len(together(app, place, 4)) == 4


@pytest.mark.long
def test_twenty_people_for_two_minutes(serving: tuple[str, int], place: Place) -> None:
    app, server = serving
    together(app, place, 20, rounds=2)
    before = memory(server, place)
    taken = together(app, place, 20, seconds=120)
    after = memory(server, place)
    assert len(taken) > 100
    assert after < before + 100e6
