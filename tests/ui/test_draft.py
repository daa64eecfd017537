"""The draft, and what controls do to it."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml
from sdmerge_ui import edits
from sdmerge_ui.controls import field, form
from sdmerge_ui.merge.command import command
from sdmerge_ui.merge.view import block_values, read_row
from sdmerge_ui.place import Place
from sdmerge_ui.state import STEPS, Draft

from sdmerge.errors import InputError
from sdmerge.manifest import manifest
from sdmerge.workspace import Workspace

TWO = "merge_method: ties\nbase_model: x\nmodels: [{model: a}, {model: b}]\n"


def stage(text: str) -> dict[str, object]:
    return yaml.safe_load(text)


def test_history() -> None:
    draft = Draft("0")
    for number in range(1, STEPS + 50):
        draft = draft.edit(str(number))
    assert len(draft.past) == STEPS
    assert draft.undo().undo().redo().text == str(STEPS + 48)
    assert draft.undo().edit("other").redo().text == "other"
    assert Draft("0").undo() == Draft("0")
    dragged = Draft("0").edit("1", "g").edit("2", "g").edit("3", "h")
    assert dragged.undo().text == "2"
    assert dragged.undo().undo().text == "0"


def test_changes_since_a_run() -> None:
    draft = Draft(TWO).was_run(41)
    assert draft.changes() == []
    changed = draft.edit(edits.put(draft.text, "models[1].parameters.weight", 0.5))
    assert changed.changes() == [("models[1].parameters.weight", "", "0.5")]


def test_edits() -> None:
    text = edits.put(TWO, "models[0].parameters.weight", 0.5)
    text = edits.put(text, "parameters.lambda", 1.5)
    text = edits.put(text, "components.vae.take", "b")
    assert stage(text)["models"][0] == {"model": "a", "parameters": {"weight": 0.5}}  # pyright: ignore[reportIndexIssue]
    assert stage(edits.put(text, "components.vae.take", None)).keys() == {
        "merge_method", "base_model", "models", "parameters",
    }  # fmt: skip
    assert edits.put(text, "output.layout", None) == edits.put(text, "seed", None)
    grouped = edits.put(text, "parameters.density", {"per": "block", "values": {"IN00": 0.5}})
    assert edits.value_at(edits.stage_of(grouped), "parameters.density.values.IN00") == 0.5
    moved = stage(edits.move(text, 1, 0))["models"]
    assert [one["model"] for one in moved] == ["b", "a"]  # pyright: ignore[reportGeneralTypeIssues, reportUnknownVariableType]
    assert len(stage(edits.drop(text, 0))["models"]) == 1  # pyright: ignore[reportArgumentType]
    based = stage(edits.use_as_base(TWO, "b"))
    assert (based["base_model"], based["models"]) == ("b", [{"model": "x"}, {"model": "a"}])
    other = stage(edits.use_method(text, "slerp"))
    assert "parameters" not in other
    assert other["models"] == [{"model": "a"}, {"model": "b"}]


def test_a_form_has_a_control_for_every_parameter() -> None:
    for spec in manifest().values():
        shared = [param for param in spec.params if not param.per_model]
        fields = form(spec, {}, ["a", "b"])
        assert [one["name"] for one in fields] == [param.name for param in shared]
        assert all(one["help"] and one["value"] == one["default"] for one in fields)
        for one, param in zip(fields, shared, strict=True):
            assert ("low" in one) == (param.range is not None)
            assert bool(one["ends"]) == param.a_to_b
    weight = manifest()["ties"].param("weight")
    assert field(weight, "parameters.weight", 3.0)["high"] == 4.0  # beyond what it is shown
    assert field(weight, "parameters.weight", [0.1, 0.5])["curve"]


def test_rows_of_blocks() -> None:
    labels = ["BASE", "IN00", "M00"]
    assert read_row("1, 0.5,0", labels) == {"BASE": 1.0, "IN00": 0.5, "M00": 0.0}
    with pytest.raises(InputError, match="2 numbers, and there are 3 blocks"):
        read_row("1,2", labels)
    with pytest.raises(InputError, match="numbers with commas"):
        read_row("1,x,2", labels)
    assert block_values(0.3, labels, 0.5) == [0.3] * 3
    assert block_values({"per": "block", "values": {"IN00": 1}}, labels, 0.5) == [0.5, 1.0, 0.5]
    assert block_values({"mbw": [0, 1, 2]}, labels, 0.5) == [0.0, 1.0, 2.0]
    assert block_values({"preset": "ALL_B"}, labels, 0.5) == [1.0] * 3


def test_the_command_says_what_the_draft_does() -> None:
    place = Place(Workspace(Path("w")))
    said = command(place, edits.put(TWO, "models[1].parameters.weight", 0.5), "n")
    assert said.endswith("merge a b --method ties --base x --weight 1.0,0.5 -o n.safetensors")
    blocks = edits.put(TWO, "parameters.lambda", {"per": "block", "values": {"IN00": 0.5}})
    assert command(place, blocks, "n").endswith("merge n.yaml -o n.safetensors")
    more = command(place, f"{TWO}components: {{}}\n", "")
    assert more.endswith("merge recipe.yaml -o merged.safetensors")
