"""What commands ask for, as forms: every option's flag is one that the command takes."""

from __future__ import annotations

import pytest

from sdmerge.cli.forms import form_of
from sdmerge.manifest import manifest
from sdmerge.recipe.output import LORA

COMMANDS = (
    "lora extract", "lora resize", "lora merge", "lora ziplora", "lora bake", "lora convert",
    "convert", "verify",
)  # fmt: skip


@pytest.mark.parametrize("command", COMMANDS)
def test_models_first_and_no_name_twice(command: str) -> None:
    form = form_of(*command.split())
    names = [one.param.name for one in form]
    assert len(names) == len(set(names))
    assert any(one.required and not one.flag for one in form)
    assert not {"json", "quiet", "debug", "force", "target"} & set(names)


def test_a_flag_has_its_own_declaration() -> None:
    form = {one.param.name: one for one in form_of("lora", "extract")}
    known = {param.name: param for param in LORA}
    assert form["rank"].param is known["rank"]
    assert form["dialect"].param.choices == known["dialect"].choices
    assert (form["rank"].flag, form["conv_rank"].flag) == ("--rank", "--conv-rank")
    assert form["rank"].words(4) == ["--rank", "4"]
    convert = {one.param.name: one for one in form_of("convert")}
    assert convert["prune"].words(value=True) == ["--prune"]
    assert convert["prune"].words(value=False) == []
    assert convert["layout"].param.choices == ("diffusers", "single-file", "lora")


def test_a_methods_parameters_are_flags() -> None:
    form = {one.param.name: one for one in form_of("lora", "merge", method="ties")}
    assert {param.name for param in manifest()["ties"].params} <= set(form)
    assert form["density"].flag == "--density"


def test_there_is_no_such_command() -> None:
    with pytest.raises(LookupError, match="lora dance"):
        form_of("lora", "dance")
