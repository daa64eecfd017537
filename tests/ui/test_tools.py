"""Tools in a browser: a form, its command line, and the file that it writes."""

from __future__ import annotations

import shlex

import pytest
from playwright.sync_api import expect
from sdmerge_ui.place import SAMPLES, Place
from sdmerge_ui.texts import Words
from sdmerge_ui.tools.tool import TOOLS, Tool, arguments, shown, tool_of

from sdmerge.errors import InputError

from .conftest import PATIENCE, Opening, shot


def test_a_lora_is_resized(visit: Opening, place: Place) -> None:
    expect.set_options(timeout=PATIENCE)
    with visit("?tab=tools") as (page, _):
        page.set_default_timeout(PATIENCE)
        page.get_by_role("radio", name="Resize a LoRA").check()
        expect(page.locator(".sd-tools .run")).to_be_disabled()
        page.get_by_label("lora", exact=True).select_option("torii.safetensors")
        page.get_by_label("rank", exact=True).fill("2")
        page.get_by_label("rank", exact=True).press("Tab")
        page.locator(".sd-tools .target").fill("small")
        line = page.locator(".sd-tools .line")
        expect(line).to_contain_text("small.safetensors")
        words = shlex.split(line.inner_text().removeprefix("$ "))
        assert words[:3] == ["sdmerge", "lora", "resize"]
        assert words[words.index("--rank") + 1] == "2"
        shot(page, "tools")
        page.click(".sd-tools .run")
        expect(page.locator(".sd-dock .job.done", has_text="small")).to_be_visible(timeout=PATIENCE)
        page.click(".sd-tools .run")
        expect(page.locator(".sd-tools .error")).to_contain_text("already")
    entry = place.inventory.find("small.safetensors")
    assert entry is not None
    assert (entry.kind, list(entry.facts["ranks"])) == ("lora", ["2"])


CHOSEN = {
    "extract": {"tuned": "ukiyoe", "base": "base"},
    "resize": {"lora": "pop.safetensors", "rank": "2"},
    "join": {"loras": ["pop.safetensors", "torii.safetensors"], "weight": "0.7, 0.5"},
    "zip": {"loras": ["pop.safetensors", "torii.safetensors"], "base": "base"},
    "bake": {"model": "base", "loras": ["pop.safetensors"], "strengths": {"pop.safetensors": 0.5}},
    "unbake": {"model": "base", "loras": ["torii.safetensors"]},
    "names": {"lora": "pop.safetensors", "dialect": "kohya"},
    "convert": {"model": "base", "dtype": "float16"},
    "vae": {"model": "base", "vae": "ukiyoe"},
    "prune": {"model": "base", "layout": "diffusers"},
}


@pytest.mark.parametrize("tool", [tool for tool in TOOLS if tool.writes], ids=lambda one: one.name)
def test_every_tool_says_what_it_does(tool: Tool, place: Place) -> None:
    told = shown(place, Words("ja"), tool, {})
    assert told["missing"]
    assert not told["line"]
    values = {**CHOSEN[tool.name], "target": "x"}
    told = shown(place, Words("en"), tool, values)
    words = shlex.split(told["line"])[1:]
    assert words == arguments(place, tool, values)
    assert words[: len(tool.command)] == list(tool.command)
    end = "x" if values.get("layout") == "diffusers" else "x.safetensors"
    assert words[-2:] == ["-o", str(place.workspace.models / end)]
    for one in (value for key, value in values.items() if key in tool.sources):
        for name in one if isinstance(one, list) else [one]:
            assert any(word.startswith(str(SAMPLES)) and name in word for word in words)


def test_strengths_and_values_per_model(place: Place) -> None:
    bake = arguments(place, tool_of("bake"), {**CHOSEN["bake"], "target": "x"})
    assert any(word.endswith("pop.safetensors:0.5") for word in bake)
    join = arguments(place, tool_of("join"), {**CHOSEN["join"], "target": "x"})
    assert join[join.index("--weight") + 1] == "0.7,0.5"


def test_results_go_to_a_host(place: Place) -> None:
    host = place.workspace.targets[0] / "models"
    for name, kind in (("resize", "loras"), ("bake", "checkpoints")):
        values = {**CHOSEN[name], "target": "x", "where": "ComfyUI"}
        assert arguments(place, tool_of(name), values)[-1] == str(host / kind / "x.safetensors")
    with pytest.raises(InputError, match="nothing is saved to"):
        arguments(place, tool_of("resize"), {**values, **CHOSEN["resize"], "where": "samples"})
    with pytest.raises(InputError, match="has no folder for diffusers"):
        arguments(place, tool_of("convert"), {**CHOSEN["convert"], "layout": "diffusers",
                                              "target": "x", "where": "ComfyUI"})  # fmt: skip


def test_nothing_outside_is_named(place: Place) -> None:
    for values in ({"lora": "/etc/passwd"}, {"lora": "../../etc/passwd"}):
        with pytest.raises(InputError):
            arguments(place, tool_of("resize"), {**values, "target": "x"})
    with pytest.raises(InputError, match="not a name"):
        arguments(place, tool_of("resize"), {**CHOSEN["resize"], "target": "../x"})
    taken = {"taken": "tokenizer=/etc"}
    with pytest.raises(InputError, match="outside"):
        arguments(place, tool_of("convert"), {**CHOSEN["convert"], **taken, "target": "x"})
    with pytest.raises(InputError, match="outside"):
        arguments(place, tool_of("zip"), {**CHOSEN["zip"], "prompts": "/etc/passwd", "target": "x"})
