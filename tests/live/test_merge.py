"""LiveMerge: after every change the pipeline holds what a file would hold, bit for bit."""

from __future__ import annotations

import tempfile
import threading
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tiny
import torch
from torch import Tensor

from sdmerge.adapters.live import live_source, module_tensors, pipeline_modules
from sdmerge.errors import Cancelled, InputError, PlanError, SdmergeError
from sdmerge.live import LiveMerge
from sdmerge.merge import Progress, run
from sdmerge.plan import Plan, plan
from sdmerge.recipe import recipe_from_data
from sdmerge.sample.draw import Drawer, Shot
from sdmerge.sample.settings import Sampling
from sdmerge.sinks import FileSink

pytestmark = pytest.mark.filterwarnings("ignore")  # others' deprecations are not ours to mend

PARENTS = [{"model": str(tiny.SAMPLES / name)} for name in ("japanese", "ukiyoe")]
RED = "a red cross on a black background"
Data = dict[str, Any]


def recipe(method: str = "task_arithmetic", **more: Any) -> Data:
    based = {"base_model": str(tiny.SAMPLES / "base")} if method != "linear" else {}
    return {"merge_method": method, **based, "models": PARENTS, **more}


def planned(live: LiveMerge, data: Data | list[Data]) -> Plan:
    return plan(recipe_from_data(data, "test"), opened=live.opened)


def held(live: LiveMerge) -> dict[str, Tensor]:
    """What the pipeline draws with, by canonical key."""
    return {
        f"{name}.{key.removeprefix('text_model.')}": tensor.detach()
        for name, module in pipeline_modules(live.pipeline).items()
        for key, tensor in module_tensors(module).items()
        if tensor.is_floating_point()
    }


def saved(made: Plan, path: Path) -> dict[str, Tensor]:
    run(made, FileSink(path, force=True))
    return tiny.canonical(path)


def same(live: LiveMerge, made: Plan, path: Path) -> bool:
    """Whether every number of the pipeline is the file's."""
    mine, file = held(live), saved(made, path)
    keys = [key for key in file if not key.endswith("position_ids")]
    return mine.keys() == set(keys) and all(
        torch.equal(mine[key], file[key].reshape(mine[key].shape).to(mine[key].dtype))
        for key in keys
    )


@pytest.fixture(scope="module")
def live() -> LiveMerge:
    return LiveMerge(memory=1 << 30)


def test_every_change_gives_what_would_be_saved(live: LiveMerge, tmp_path: Path) -> None:
    """Values, methods with chance or a fit or a kernel, blocks, stages, LoRAs, dtypes, in turn."""
    pop = str(tiny.ROOT / "samples" / "loras" / "pop.safetensors")
    unet_only: Data = {"weight": [{"filter": "unet", "value": 0.5}, {"value": 1.0}]}
    stages = [recipe(name="both"), {"merge_method": "slerp", "parameters": {"t": 0.3}, "models": [
        {"model": "both"}, PARENTS[0]]}]  # fmt: skip
    steps: list[Data | list[Data]] = [
        recipe(parameters={"lambda": 0.5}),
        recipe("ties", parameters={"density": 0.5, "trim": "model"}),
        recipe("dare_ties", parameters={"density": 0.5}, seed=3),
        recipe("dare_ties", parameters={"density": 0.5}, seed=4),
        recipe(parameters=unet_only, dtype="bfloat16"),
        recipe(apply=[{"model": pop, "weight": 0.7}]),
        stages,
        recipe(parameters={"lambda": 0.5}),
    ]
    for data in steps:
        made = planned(live, data)
        live.show(made)
        assert same(live, made, tmp_path / "x.safetensors"), data


def test_only_what_changed_is_written(live: LiveMerge) -> None:
    live.show(planned(live, recipe()))
    assert live.show(planned(live, recipe())).tensors == 0
    unet: Data = {"weight": [{"filter": "unet", "value": 0.5}, {"value": 1.0}]}
    before = {key: tensor._version for key, tensor in held(live).items()}
    addresses = {name: live.address(name) for name in ("unet", "text_encoder", "vae")}
    shown = live.show(planned(live, recipe(parameters=unet)))
    written = {key for key, tensor in held(live).items() if tensor._version != before[key]}
    assert {key.split(".")[0] for key in written} == {"unet"}
    assert shown.tensors == len(written)
    assert not shown.rebuilt
    changed = {name for name in addresses if live.address(name) != addresses[name]}
    assert changed == {"unet"}


def test_numbers_are_rounded_to_the_dtype_of_the_file(tmp_path: Path) -> None:
    live = LiveMerge(dtype=torch.bfloat16)
    made = planned(live, recipe(dtype="float16"))
    live.show(made)
    assert {tensor.dtype for tensor in held(live).values()} == {torch.bfloat16}
    assert same(live, made, tmp_path / "x.safetensors")


@pytest.mark.parametrize("budget", [0, 3 << 20, 1 << 30])
def test_any_memory_gives_the_same(budget: int, tmp_path: Path) -> None:
    live = LiveMerge(memory=budget)
    for value in (0.5, 0.6):
        made = planned(live, recipe(parameters={"lambda": value}))
        live.show(made)
        assert live.memory.used <= budget
    assert same(live, made, tmp_path / "x.safetensors")
    whole = sum(source.specs[key].nbytes for source in made.sources for key in source.specs)
    assert (live.memory.used == 0) == (budget == 0)
    assert budget < 1 << 30 or live.memory.used >= 0.7 * whole


def test_what_stays_in_memory_is_not_read_again(monkeypatch: pytest.MonkeyPatch) -> None:
    from sdmerge.tensors.positional import PositionalFile

    live = LiveMerge(memory=1 << 30)
    live.show(planned(live, recipe(parameters={"lambda": 0.5})))
    reads: list[int] = []
    read = PositionalFile.read_into
    monkeypatch.setattr(
        PositionalFile, "read_into", lambda *given: (reads.append(1), read(*given))[1]
    )
    live.show(planned(live, recipe(parameters={"lambda": 0.6})))
    assert not reads
    live.free()
    live.show(planned(live, recipe(parameters={"lambda": 0.7})))
    assert reads


def test_a_file_that_changes_is_seen(tmp_path: Path) -> None:
    model = tiny.copy(tiny.SAMPLES / "base", tmp_path / "model")
    data = {"merge_method": "linear", "models": [{"model": str(model)}]}
    live = LiveMerge()
    live.show(planned(live, data))
    weights = model / "unet" / "diffusion_pytorch_model.safetensors"
    tiny.overwrite(weights, "conv_in.bias", 0.25, 0)
    assert live.show(planned(live, data)).tensors == len(
        [key for key in held(live) if key.startswith("unet.")]
    )
    assert float(held(live)["unet.conv_in.bias"][0]) == 0.25


def test_closed_it_leaves_nothing_but_the_pipeline(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    with LiveMerge(memory=1 << 30) as live:
        live.show(planned(live, recipe()))
        assert list(tmp_path.iterdir())
        assert live.memory.used
    assert not list(tmp_path.iterdir())
    assert not live.memory.used
    assert live.pipeline is not None
    assert live.show(planned(live, recipe(parameters={"lambda": 0.2}))).tensors
    live.close()
    assert not list(tmp_path.iterdir())


def test_stopped_half_way(live: LiveMerge, tmp_path: Path) -> None:
    live.show(planned(live, recipe()))
    cancel = threading.Event()

    def watch(progress: Progress) -> None:
        if progress.tensors == 20:
            cancel.set()

    made = planned(live, recipe(parameters={"lambda": 0.4}))
    with pytest.raises(Cancelled, match="half a merge"):
        live.show(made, progress=watch, cancel=cancel)
    with pytest.raises(SdmergeError, match="no whole model"):
        _ = live.pipeline
    rest = live.show(made)
    assert 0 < rest.tensors < len(made.tasks)
    assert same(live, made, tmp_path / "x.safetensors")


def test_another_scheduler_or_tokenizer_is_another_pipeline(tmp_path: Path) -> None:
    model = tiny.copy(tiny.SAMPLES / "base", tmp_path / "model")
    config = model / "scheduler" / "scheduler_config.json"
    config.write_text(config.read_text().replace("trailing", "leading"))
    live = LiveMerge()
    single = {"merge_method": "linear", "models": PARENTS[:1]}
    live.show(planned(live, single))
    first = live.pipeline
    shown = live.show(planned(live, {**single, "models": [{"model": str(model)}]}))
    assert shown.rebuilt
    assert live.pipeline is not first
    assert live.pipeline.scheduler.config.timestep_spacing == "leading"
    given = LiveMerge(pipeline=first)
    given.show(planned(given, single))
    with pytest.raises(PlanError, match=r"another scheduler/scheduler_config\.json"):
        given.show(planned(given, {**single, "models": [{"model": str(model)}]}))


def test_a_given_pipeline(tmp_path: Path) -> None:
    import diffusers

    pipeline = diffusers.DiffusionPipeline.from_pretrained(tiny.SAMPLES / "base")
    live = LiveMerge(pipeline=pipeline)
    with pytest.raises(SdmergeError, match="no whole model"):
        _ = live.pipeline
    made = planned(live, recipe())
    assert live.show(made).tensors == len([t for t in made.tasks if "position_ids" not in t.key])
    assert live.pipeline is pipeline
    assert same(live, made, tmp_path / "x.safetensors")
    unet = {"merge_method": "linear", "models": [{"model": f"{tiny.SAMPLES / 'base'}/unet"}]}
    with pytest.raises(PlanError, match="has no vae"):
        live.show(planned(live, unet))


def test_a_pipeline_is_not_merged_into_itself() -> None:
    import diffusers

    pipeline = diffusers.DiffusionPipeline.from_pretrained(tiny.SAMPLES / "base")
    source = live_source(pipeline_modules(pipeline))
    data = {"merge_method": "linear", "models": [PARENTS[0], {"model": "here"}]}
    made = plan(recipe_from_data(data, "test"), live={"here": source})
    with pytest.raises(InputError, match="the pipeline that it is shown in"):
        LiveMerge(pipeline=pipeline).show(made)
    other = LiveMerge()
    # what lies in memory may change unseen; the VAE is the first model's, which is a file
    assert other.show(made).tensors > other.show(made).tensors > 0


# drawing with what is shown


def test_a_preview_is_the_saved_models_picture(live: LiveMerge, tmp_path: Path) -> None:
    from sdmerge.sample.pipeline import build_pipeline

    made = planned(live, recipe())
    live.show(made)
    run(made, FileSink(tmp_path / "x.safetensors"))
    data = {"merge_method": "linear", "models": [{"model": str(tmp_path / "x.safetensors")}],
            "components": {"tokenizer": {"take": str(tiny.SAMPLES / "base")},
                           "scheduler": {"take": str(tiny.SAMPLES / "base")}}}  # fmt: skip
    file = build_pipeline(tiny.planned(data))
    shots = [Shot(RED, 1, Sampling(2, 3.0))]
    first, second = (next(Drawer(one).draw(shots)).image for one in (live, file))
    assert first.tobytes() == second.tobytes()


def test_prompts_are_encoded_again_when_the_text_encoder_changes(live: LiveMerge) -> None:
    drawer = Drawer(live)
    shots = [Shot(RED, 1, Sampling(1, 3.0))]
    calls: list[int] = []

    def drawn(data: Data) -> bytes:
        live.show(planned(live, data))
        hook = live.pipeline.text_encoder.register_forward_hook(lambda *_: calls.append(1))
        try:
            return next(drawer.draw(shots)).image.tobytes()
        finally:
            hook.remove()

    pictures = [drawn(recipe())]
    assert len(calls) == 2  # the prompt and the empty one
    unet: Data = {"weight": [{"filter": "unet", "value": 0.2}, {"value": 1.0}]}
    pictures.append(drawn(recipe(parameters=unet)))
    assert len(calls) == 2
    text: Data = {"weight": [{"filter": "unet", "value": 0.2}, {"value": 0.5}]}
    pictures.append(drawn(recipe(parameters=text)))
    assert len(calls) == 4
    assert len(set(pictures)) == 3
    pictures.append(drawn(recipe()))
    assert len(calls) == 4  # kept from the first time
    assert pictures[3] == pictures[0]


@pytest.mark.parametrize(("name", "weight"), [("pop", 0.8), ("pop_dora", 1.0)])
def test_a_lora_draws_what_it_draws_at_runtime(live: LiveMerge, name: str, weight: float) -> None:
    """diffusers and PEFT add it as the model runs; numbers here are rounded to half precision."""
    import diffusers

    folder = tiny.ROOT / "samples" / "loras"
    base = {"merge_method": "linear", "models": [{"model": str(tiny.SAMPLES / "base")}]}
    lora = {"model": str(folder / f"{name}.safetensors"), "weight": weight}
    data = {**base, "apply": [lora]}
    live.show(planned(live, data))
    pipeline = diffusers.DiffusionPipeline.from_pretrained(tiny.SAMPLES / "base")
    pipeline.load_lora_weights(folder, weight_name=f"{name}.safetensors", adapter_name="x")
    pipeline.set_adapters(["x"], [weight])
    shots = [Shot(RED, 1, Sampling(3, 3.0))]
    mine, theirs = (
        np.asarray(next(Drawer(one).draw(shots)).image).astype(int) for one in (live, pipeline)
    )
    assert np.abs(mine - theirs).max() <= 3
