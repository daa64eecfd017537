"""Git Re-Basin on the sample model: a permuted copy of the base merges back to the base."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import tiny
import torch
from safetensors.torch import load_file, save_file

from sdmerge.errors import PlanError
from sdmerge.merge import run
from sdmerge.plan import plan
from sdmerge.recipe import recipe_from_data
from sdmerge.sample.probe import pipelines
from sdmerge.sinks import DictSink
from sdmerge.symmetry import layout_of, permuted, trace

FILE = "unet/diffusion_pytorch_model.safetensors"


@pytest.fixture(scope="module")
def shuffled(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The base of the samples with its UNet's channels in another order."""
    folder = tiny.copy(tiny.SAMPLES / "base", tmp_path_factory.mktemp("models") / "shuffled")
    one = recipe_from_data({"merge_method": "linear", "models": [{"model": str(folder)}]})
    ((module, inputs),) = pipelines([plan(one)], 0).networks().values()
    layout, variables = layout_of(trace(module, inputs))
    dice = np.random.default_rng(0)
    for var in variables:
        if var.swaps:
            var.order = dice.permutation(len(var.order))
        var.inner = [[dice.permutation(len(cell)) for cell in cells] for cells in var.kinds]
    tensors = load_file(folder / FILE)
    save_file(
        {key: permuted(one, layout[key]).contiguous() for key, one in tensors.items()},
        folder / FILE,
        {"format": "pt"},
    )
    return folder


def recipe(shuffled: Path, **more: object) -> tiny.Data:
    base = str(tiny.SAMPLES / "base")
    rule = {"take": "base"}
    return {
        "merge_method": "git_rebasin",
        "base_model": base,
        "models": [{"model": base, "name": "same"}, {"model": str(shuffled), "name": "moved"}],
        "components": {"text_encoder": rule},
        **more,
    }


def test_a_permuted_copy_merges_back_to_the_base(shuffled: Path) -> None:
    wanted, moved = tiny.canonical(tiny.SAMPLES / "base"), tiny.canonical(shuffled)
    assert sum(not torch.equal(wanted[key], moved[key]) for key in wanted) > 500
    sink = DictSink()
    run(plan(recipe_from_data(recipe(shuffled))), sink, probe=pipelines)
    for key, tensor in wanted.items():
        assert torch.equal(sink.tensors[key].reshape(-1), tensor), key


def test_without_networks_it_says_what_it_needs(shuffled: Path) -> None:
    with pytest.raises(PlanError, match="git_rebasin looks at models that run"):
        run(plan(recipe_from_data(recipe(shuffled))), DictSink())
