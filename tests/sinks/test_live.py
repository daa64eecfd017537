"""LiveSink: a merge into a pipeline in memory is the merge that a file would hold."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import torch
from tiny import canonical, model, planned, raw
from torch import nn

from sdmerge.adapters import live_source
from sdmerge.adapters.live import module_tensors, pipeline_modules
from sdmerge.errors import InputError, PlanError
from sdmerge.merge import run
from sdmerge.plan import plan
from sdmerge.recipe import recipe_from_data
from sdmerge.sinks import LiveSink

pytestmark = pytest.mark.filterwarnings("ignore")  # others' deprecations are not ours to mend


@pytest.fixture(scope="module")
def original() -> Any:
    """A real pipeline of the smallest size."""
    import diffusers

    diffusers.utils.logging.disable_progress_bar()
    diffusers.utils.logging.set_verbosity_error()
    path = model("sd1", 0, "diffusers", dtype="float32")
    return diffusers.StableDiffusionPipeline.from_pretrained(path, safety_checker=None)


@pytest.fixture
def modules(original: Any) -> dict[str, nn.Module]:
    """Its networks, copied, so that a test may write into them."""
    return {name: copy.deepcopy(part) for name, part in pipeline_modules(original).items()}


RECIPE = {
    "merge_method": "task_arithmetic",
    "base_model": str(model("sd1", 0, "diffusers", dtype="float32")),
    "models": [{"model": str(model("sd1", seed))} for seed in (1, 2)],
}


def state(modules: Mapping[str, nn.Module]) -> dict[str, torch.Tensor]:
    """Every tensor by canonical key."""
    return {
        f"{name}.{key.removeprefix('text_model.')}": tensor.detach()
        for name, module in modules.items()
        for key, tensor in module_tensors(module).items()
        if not key.endswith("position_ids")
    }


def equal(first: Mapping[str, torch.Tensor], second: Mapping[str, torch.Tensor]) -> bool:
    assert first.keys() == second.keys()
    return all(torch.equal(raw(tensor), raw(second[key])) for key, tensor in first.items())


@pytest.mark.parametrize("dtype", ["float32", "float16"])
def test_as_good_as_saved_and_loaded(
    modules: dict[str, nn.Module], tmp_path: Path, dtype: str
) -> None:
    """Numbers are rounded to what would be stored, whatever the pipeline computes in."""
    made = planned({**RECIPE, "dtype": dtype})
    before = {key: tensor.data_ptr() for key, tensor in state(modules).items()}
    run(made, LiveSink(modules))
    assert {key: tensor.data_ptr() for key, tensor in state(modules).items()} == before
    from sdmerge.sinks import FileSink

    run(made, FileSink(tmp_path / "x.safetensors"))
    saved = {key: tensor.float() for key, tensor in canonical(tmp_path / "x.safetensors").items()}
    assert equal(state(modules), saved)


def test_a_pipeline_in_half_precision(modules: dict[str, nn.Module]) -> None:
    for module in modules.values():
        module.half()
    run(planned({**RECIPE, "dtype": "float16"}), LiveSink(modules))
    assert all(tensor.dtype == torch.float16 for tensor in state(modules).values())


def test_only_the_networks_that_are_given(modules: dict[str, nn.Module]) -> None:
    sink = LiveSink({"unet": modules["unet"]})
    made = planned(RECIPE)
    before = {key: tensor.clone() for key, tensor in state(modules).items()}
    run(made, sink)
    assert {key.split(".")[0] for key in sink.order(made)} == {"unet"}
    after = state(modules)
    changed = {key.split(".")[0] for key in after if not torch.equal(after[key], before[key])}
    assert changed == {"unet"}


def test_a_pipeline_as_input(modules: dict[str, nn.Module]) -> None:
    """What lies in memory merges like a file."""
    source = live_source(modules)
    assert (source.layout, source.family.name, source.path) == ("live", "sd1", None)
    assert equal(
        {key: source.read(key) for key in source.specs}, canonical(Path(RECIPE["base_model"]))
    )
    data = {**RECIPE, "base_model": "here"}
    run(plan(recipe_from_data(data, "test"), live={"here": source}), LiveSink(modules))
    again = {name: copy.deepcopy(module) for name, module in modules.items()}
    run(planned(RECIPE), LiveSink(again))
    assert equal(state(modules), state(again))


def test_a_runtime_lora_stays_outside(modules: dict[str, nn.Module]) -> None:
    """PEFT wraps layers and renames their weights; the merge goes to the weights beneath."""
    from peft import LoraConfig

    plain = {name: copy.deepcopy(module) for name, module in modules.items()}
    unet: Any = modules["unet"]
    unet.add_adapter(LoraConfig(r=2, target_modules=["to_q"]))
    lora = {key: t.clone() for key, t in unet.state_dict().items() if ".lora_" in key}
    assert lora
    run(planned(RECIPE), LiveSink(modules))
    run(planned(RECIPE), LiveSink(plain))
    assert equal(state(modules), state(plain))
    after = unet.state_dict()
    assert all(torch.equal(tensor, after[key]) for key, tensor in lora.items())


# states in which writing would be no use


def refusal(modules: Mapping[str, nn.Module], data: Any = RECIPE) -> str:
    made = planned(data)
    with pytest.raises((InputError, PlanError)) as caught:
        run(made, LiveSink(modules))
    return str(caught.value)


def test_offloaded_networks_are_refused(modules: dict[str, nn.Module]) -> None:
    modules["unet"] = modules["unet"].to("meta")
    text = refusal(modules)
    assert "unet is offloaded" in text
    assert "Move the pipeline to one device" in text


def test_fused_projections_are_refused(modules: dict[str, nn.Module]) -> None:
    unet: Any = modules["unet"]
    unet.fuse_qkv_projections()
    assert "unet has fused projections" in refusal(modules)
    unet.unfuse_qkv_projections()
    run(planned(RECIPE), LiveSink(modules))


def test_a_fused_lora_is_refused(modules: dict[str, nn.Module]) -> None:
    from peft import LoraConfig

    unet: Any = modules["unet"]
    unet.add_adapter(LoraConfig(r=2, target_modules=["to_q"]))
    unet.fuse_lora()
    text = refusal(modules)
    assert "unet has a fused LoRA" in text
    assert "unfuse_lora()" in text


def test_another_size_is_refused_before_anything_is_written(
    modules: dict[str, nn.Module],
) -> None:
    before = {key: tensor.clone() for key, tensor in state(modules).items()}
    inpaint = [model("sd1", n, variant="inpaint") for n in (1, 2)]
    data = {"merge_method": "linear", "models": [{"model": str(path)} for path in inpaint]}
    assert "'unet.conv_in.weight' has another shape in the pipeline" in refusal(modules, data)
    assert equal(state(modules), before)


def test_another_family_is_refused(modules: dict[str, nn.Module]) -> None:
    data = {"merge_method": "linear", "models": [{"model": str(model("sdxl", 1))}]}
    assert "the pipeline has no tensor 'unet." in refusal(modules, data)


def test_weights_stored_in_another_dtype_are_refused(modules: dict[str, nn.Module]) -> None:
    unet: Any = modules["unet"]
    unet.enable_layerwise_casting(storage_dtype=torch.float8_e4m3fn, compute_dtype=torch.float32)
    assert "stores its weights in another dtype" in refusal(modules)


def test_group_offloading_is_refused(modules: dict[str, nn.Module]) -> None:
    unet: Any = modules["unet"]
    cpu = torch.device("cpu")
    unet.enable_group_offload(
        onload_device=cpu, offload_device=cpu, offload_type="block_level", num_blocks_per_group=1
    )
    assert "offloaded in groups" in refusal(modules)


@pytest.mark.parametrize("way", ["wrapped", "in place", "everywhere"])
def test_frozen_weights_are_refused(
    modules: dict[str, nn.Module], monkeypatch: pytest.MonkeyPatch, way: str
) -> None:
    """A compiled network is written into, unless it may hold its weights as constants."""
    plain = {name: copy.deepcopy(module) for name, module in modules.items()}
    options: Any = {"freezing": True} if way != "everywhere" else {}
    if way == "in place":
        modules["unet"].compile(options=options)
    else:
        modules["unet"] = torch.compile(modules["unet"], options=options)  # type: ignore[assignment]
    if way == "everywhere":
        run(planned(RECIPE), LiveSink(modules))
        run(planned(RECIPE), LiveSink(plain))
        assert equal(state(modules), state(plain))
        monkeypatch.setattr("torch._inductor.config.freezing", True)
    assert "compiled with its weights frozen" in refusal(modules)


def test_a_network_that_the_plan_has_nothing_for(modules: dict[str, nn.Module]) -> None:
    sink = LiveSink(modules)
    data = {"merge_method": "linear", "models": [{"model": str(model("sd1", 1))}]}
    sink.open(planned(data))
    assert sink.untouched() == []
    other = LiveSink({**modules, "extra": nn.Linear(2, 2)})
    other.open(planned(data))
    assert other.untouched() == ["extra.weight", "extra.bias"]
