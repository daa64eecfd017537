"""The frozen tables against the installed diffusers: names, shapes, and every byte."""

from __future__ import annotations

from importlib import resources

import pytest
import torch

from sdmerge.families import FAMILIES, Component, Family, config_of, single_file_map, sizes_of
from sdmerge.families.build.__main__ import main
from sdmerge.families.build.compare import drift
from sdmerge.families.build.networks import converter, shapes_of
from sdmerge.families.frozen import dump, file_name, load
from sdmerge.testing import copy_by

from .headers import NARROW, noise

# families share networks: each is built once
_NETWORKS = {
    dump({"": load(family.name)[component.name]}): pytest.param(
        family, component, id=f"{family.name}.{component.name}"
    )
    for family in reversed(list(FAMILIES))
    for component in family.components
}
COMPONENT = pytest.mark.parametrize(("family", "component"), _NETWORKS.values())


@pytest.mark.parametrize("name", [family.name for family in FAMILIES])
def test_frozen_is_what_the_installed_converters_do(
    name: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["--check", name]) == 0
    assert capsys.readouterr().out == f"{name}: as frozen\n"


def test_frozen_bytes_depend_on_the_tables_alone() -> None:
    frozen = resources.files("sdmerge.families").joinpath(file_name("sd1")).read_bytes()
    assert dump(load("sd1")) == frozen
    assert len(frozen) < 20_000


def test_drift_is_named() -> None:
    tables = load("sd1")
    rules = tables["unet"].rules
    gone = next(iter(rules))
    del rules[gone]  # pyright: ignore
    assert drift(FAMILIES.get("sd1"), tables)[0].startswith(f"sd1.unet.{gone}: frozen Rule")


@COMPONENT
def test_full_size_is_what_the_classes_build(family: Family, component: Component) -> None:
    built = shapes_of(component, component.config)
    frozen = family.specs(component.name)
    assert {f"{component.name}.{key}": shape for key, shape in built.items()} == {
        key: spec.shape for key, spec in frozen.items()
    }


@COMPONENT
def test_a_config_told_from_narrow_tensors_builds_them(
    family: Family, component: Component
) -> None:
    specs = family.specs(component.name, NARROW)
    config = config_of(family, component.name, specs)
    built = shapes_of(component, config)
    assert {f"{component.name}.{key}": shape for key, shape in built.items()} == {
        key: spec.shape for key, spec in specs.items()
    }
    own = {name: NARROW.get(name, size) for name, size in component.sizes.items()}
    told = sizes_of(family, component.name, specs)
    assert {name: told[name] for name in own} == own


@COMPONENT
def test_copying_by_the_table_is_converting_and_back(family: Family, component: Component) -> None:
    sizes = {"c0": 8, "c1": 16, "c2": 24, "x": 12, "a": 20, "w": 8, "f": 24, "j": 6, "n": 3}
    specs = family.specs(component.name, sizes | {"p": 7, "v": 50})
    write = single_file_map(family, specs)
    file = noise(write.specs)
    config = config_of(family, component.name, specs)
    converted = converter(component, config)[1](dict(file))
    made = copy_by(write.inverse(), file)
    assert made.keys() == {f"{component.name}.{key}" for key in converted}
    for key, tensor in converted.items():
        assert torch.equal(made[f"{component.name}.{key}"], tensor)
    back = copy_by(write, made)
    assert list(back) == list(file)
    assert all(torch.equal(back[key], file[key]) for key in file)
