"""The manifest: the registry as data, and a value that can be added to."""

from __future__ import annotations

import dataclasses
import json
from importlib import resources
from pathlib import Path

import pytest

from sdmerge.errors import MethodError, UnknownMethod
from sdmerge.manifest import Manifest, dump, manifest
from sdmerge.method import Registry
from sdmerge.methods import METHODS
from sdmerge.methods import __main__ as generator


def stored() -> str:
    return resources.files("sdmerge").joinpath("manifest.json").read_text("utf-8")


@pytest.fixture
def ours() -> Registry:
    """The methods that come with sdmerge; a plug-in of another test may have added to them."""
    return Registry(m for m in METHODS.values() if m.body.__module__.startswith("sdmerge.methods."))


def test_the_file_is_the_registry(ours: Registry) -> None:
    assert stored() == dump(method.spec for method in ours.values()), "python -m sdmerge.methods"
    entries: list[dict[str, str]] = json.loads(stored())
    assert [manifest()[entry["name"]] for entry in entries] == [
        ours[name].spec for name in sorted(ours)
    ]


def test_the_command_writes_it_again(
    ours: Registry, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(generator, "METHODS", ours)
    monkeypatch.setattr(generator, "PACKAGE", tmp_path)
    monkeypatch.setattr(generator, "README", tmp_path / "README.md")
    generator.main()
    assert (tmp_path / "manifest.json").read_bytes() == stored().encode()
    assert not (tmp_path / "README.md").exists()


def test_what_methods_are_there() -> None:
    first_six = {"linear", "slerp", "task_arithmetic", "ties", "dare_linear", "dare_ties"}
    assert first_six <= set(manifest())
    slerp, ties, dare = manifest()["slerp"], manifest()["ties"], manifest()["dare_linear"]
    assert (slerp.models, slerp.ordered, slerp.space) == ((2, 2), True, "weight")
    assert (ties.models, ties.ordered, ties.space) == ((1, None), False, "delta")
    assert (ties.random, dare.random) == (False, True)


def test_unknown_methods_and_parameters_get_the_nearest_word() -> None:
    with pytest.raises(UnknownMethod) as raised:
        manifest()["tise"]
    assert raised.value.what == "there is no merge method 'tise'"
    known = ", ".join(sorted(manifest()))
    assert raised.value.hint == f"Did you mean 'ties'? Known: {known}."
    with pytest.raises(MethodError) as raised:
        manifest()["ties"].param("densty")
    assert raised.value.what == "ties has no parameter 'densty'"
    assert raised.value.hint.startswith("Did you mean 'density'? It takes: weight, density,")


def test_it_is_a_mapping() -> None:
    assert "tise" not in manifest()
    assert manifest().get("tise") is None
    assert manifest().get("ties") is manifest()["ties"]


def test_adding_is_all_or_nothing() -> None:
    ties = manifest()["ties"]
    fresh = dataclasses.replace(ties, name="fresh")
    value = Manifest([ties])
    value.add(fresh, ties)
    assert set(value) == {"ties", "fresh"}
    third = dataclasses.replace(ties, name="third")
    for clash in (dataclasses.replace(ties, version=2), dataclasses.replace(third, version=2)):
        with pytest.raises(MethodError, match=f"there are two methods called '{clash.name}'"):
            value.add(third, clash)
        assert set(value) == {"ties", "fresh"}
