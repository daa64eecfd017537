"""Modules in memory as a store: their own names, without those of runtime adapters."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from sdmerge.adapters.live import ModuleStore, live_source, module_tensors, pipeline_modules
from sdmerge.errors import FamilyError


class Wrapped(nn.Module):
    """A layer as PEFT leaves it."""

    def __init__(self) -> None:
        super().__init__()
        self.base_layer = nn.Linear(3, 2)
        self.lora_A = nn.ModuleDict({"default": nn.Linear(3, 1, bias=False)})


def test_names_are_those_of_a_saved_file() -> None:
    module = nn.Sequential()
    module.add_module("to_q", Wrapped())
    assert set(module_tensors(module)) == {"to_q.weight", "to_q.bias"}


def test_reading_copies() -> None:
    module = nn.Linear(4, 3)
    store = ModuleStore(module)
    assert store.specs["weight"].shape == (3, 4)
    part = store.read("weight", 2, 7)
    assert torch.equal(part, module.weight.detach().reshape(-1)[2:7])
    part.zero_()
    assert module.weight.abs().sum() > 0
    assert store.files == ()


def test_only_networks_count() -> None:
    class Pipeline:
        components = {"unet": nn.Linear(1, 1), "tokenizer": object(), "safety_checker": None}  # noqa: RUF012

    assert list(pipeline_modules(Pipeline())) == ["unet"]


def test_unknown_networks_are_refused() -> None:
    with pytest.raises(FamilyError, match="the modules unet are of no known family"):
        live_source({"unet": nn.Linear(2, 2)})
