"""Folders of other tools and batches in the app: what is shown, and where models are written."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from playwright.sync_api import expect
from sdmerge_ui.merge.batch import Wanted, line_of, named, start
from sdmerge_ui.merge.saving import save_model, target_of
from sdmerge_ui.place import SAMPLES, Place
from tiny import cli, copy, words

from sdmerge.errors import InputError
from sdmerge.jobs import Jobs
from sdmerge.recipe.dice import rolled
from sdmerge.recipe.edit import documents
from sdmerge.workspace import Workspace

from .conftest import PATIENCE, Opening, shot

SLERP = "merge_method: slerp\nmodels: [{model: a.safetensors}, {model: b.safetensors}]\n"


@pytest.fixture
def hosted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Place:
    """A workspace beside a tree of ComfyUI that is written to and one of A1111 that is not."""
    monkeypatch.setattr(Jobs, "wake", lambda *_: None)  # what is asked for is looked at
    comfy, webui = tmp_path / "ComfyUI", tmp_path / "webui"
    for folder in (
        comfy / "models" / "checkpoints",
        comfy / "models" / "loras",
        comfy / "models" / "text_encoders",
        webui / "models" / "Stable-diffusion",
    ):
        folder.mkdir(parents=True)  # fmt: skip
    copy(words(1), comfy / "models" / "text_encoders" / "a.safetensors")
    copy(words(1), webui / "models" / "Stable-diffusion" / "a.safetensors")
    copy(words(2), webui / "models" / "Stable-diffusion" / "b.safetensors")
    return Place(Workspace(tmp_path / "own", (comfy, webui), (comfy,)))


def test_names_lead_to_their_files(hosted: Place, tmp_path: Path) -> None:
    found = {entry.path: entry.name for entry in hosted.inventory.entries()}
    twice = tmp_path / "webui" / "models" / "Stable-diffusion" / "a.safetensors"
    assert found[twice] == "models/Stable-diffusion/a.safetensors"
    for path, name in found.items():
        if path.is_relative_to(SAMPLES):
            continue
        planned = hosted.plan(f"merge_method: linear\nmodels: [{{model: {name}}}]\n")
        assert planned.inputs[0].path == path.resolve()
    assert hosted.shelves[twice.parent] == "webui · checkpoints"


def test_what_lies_beside_is_outside(hosted: Place, tmp_path: Path) -> None:
    beside = tmp_path / "webui" / "secret.safetensors"
    copy(words(1), beside)
    link = tmp_path / "webui" / "models" / "Stable-diffusion" / "link.safetensors"
    link.symlink_to(beside)
    for name in ("secret.safetensors", "link.safetensors", str(beside)):
        with pytest.raises(InputError, match="outside of the folders of models"):
            hosted.plan(f"merge_method: linear\nmodels: [{{model: {name}}}]\n")


def test_models_are_saved_into_hosts(hosted: Place, tmp_path: Path) -> None:
    kept = hosted.workspace.models / "x.safetensors"
    assert target_of(hosted, hosted.plan(SLERP), "x") == kept
    job = save_model(hosted, SLERP, "x", "ComfyUI")
    target = tmp_path / "ComfyUI" / "models" / "text_encoders" / "x.safetensors"
    assert hosted.jobs.asked(job.number).arguments[-1] == str(target)
    target.write_bytes(b"")
    for name, where, what in (
        ("x", "ComfyUI", "already"),
        ("x", "webui", "nothing is saved to 'webui'"),
        ("../x", "ComfyUI", "not a name"),
    ):
        with pytest.raises(InputError, match=what):
            save_model(hosted, SLERP, name, where)


def test_a_batch_of_saved_recipes(hosted: Place) -> None:
    hosted.save_recipe("one", SLERP)
    hosted.save_recipe("two", SLERP.replace("slerp", "weighted_sum"))
    wanted = Wanted(["one.yaml", "two.yaml"], [], "{name}-{method}")
    numbers = start(hosted, "", wanted)
    jobs = [hosted.jobs.get(number) for number in numbers]
    assert [job.title for job in jobs] == ["one-slerp.safetensors", "two-weighted_sum.safetensors"]
    asked = hosted.jobs.asked(numbers[1])
    assert cli(*asked.command_line(hosted.workspace.folder, jobs[1].run)).code == 0
    assert (hosted.workspace.models / "two-weighted_sum.safetensors").is_file()
    with pytest.raises(InputError, match="already"):
        start(hosted, "", wanted)
    assert len(hosted.jobs.all()) == 2


def test_a_batch_of_the_draft_and_its_command(hosted: Place) -> None:
    wanted = Wanted([], ["t=0,0.5", "seed=1,2"], "{t}-{seed}", "ComfyUI")
    with pytest.raises(InputError, match="'seed' changes no merge"):
        named(hosted, SLERP, wanted)
    wanted = Wanted([], ["t=0,0.5"], "ab-{t}.safetensors", "ComfyUI")
    found = named(hosted, f"# mine\n{SLERP}", wanted)
    assert [name for name, _, _ in found] == ["ab-0", "ab-0.5"]
    assert "# mine" in found[1][1]
    line = line_of(hosted, wanted)
    assert line.endswith("-o 'ComfyUI:ab-{t}.safetensors' --background")
    assert "--sweep t=0,0.5" in line


def test_controls_of_the_output_and_the_batch(visit: Opening) -> None:
    expect.set_options(timeout=PATIENCE)
    with visit("?tab=merge") as (page, _):
        page.get_by_role("button", name="Recipe as text").click()
        text = page.locator("#sd-yaml textarea")
        text.fill("# keep me\nmerge_method: weighted_sum\nmodels:\n  - model: japanese\n"
                  "  - model: ukiyoe  # style\n")  # fmt: skip
        page.get_by_role("button", name="Take this text").click()
        expect(page.locator(".model")).to_have_count(2)

        page.get_by_role("button", name="Blocks").click()
        page.get_by_label("What a value is for").select_option("component")
        page.get_by_role("slider", name="text_encoder").focus()
        page.keyboard.press("End")
        expect(text).to_have_value(re.compile(r"text_encoder: 1\b"))
        page.get_by_role("button", name="UNet and text encoders").click()
        page.get_by_role("combobox", name="unet").select_option("ukiyoe")
        page.get_by_label("VAE", exact=True).select_option("=merged")
        page.get_by_label("prune", exact=True).check()
        expect(text).to_have_value(re.compile("prune: true"))
        expect(page.locator(".sd-plan")).to_contain_text("pruned")
        said = text.input_value()
        assert "# keep me" in said
        assert "# style" in said
        assert "vae: {merge_method: weighted_sum}" in said.replace("\n      ", " ")

        page.click("#sd-dice")
        expect(text).not_to_have_value(said)
        seed = int(page.locator("#sd-dice-seed input").input_value())
        found = rolled(documents(said)[-1], seed)["parameters.alpha"]
        thrown = documents(text.input_value())[-1]["parameters"]["alpha"]
        assert thrown == found  # the seed that is shown is that of the throw
        page.click("#sd-undo")
        expect(text).to_have_value(said)

        page.get_by_role("button", name="Batch").click()
        page.fill("#sd-batch-sweeps input, #sd-batch-sweeps textarea", "dtype=float16,float32")
        listed = page.locator(".sd-batch")
        expect(listed).to_contain_text("2 merges would be called")
        page.fill("#sd-batch-template input, #sd-batch-template textarea", "mix-{dtype}")
        expect(listed.locator("li")).to_have_text(["mix-float16", "mix-float32"])
        shot(page, "batch")
        page.get_by_role("tab", name="Models").click()
        row = page.locator("tr[data-model='hosted.safetensors']")
        expect(row).to_contain_text("ComfyUI · loras")
