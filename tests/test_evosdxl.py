"""EvoSDXL-JP: its recipe gives what Sakana's script gives, and the search's space contains it."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from evosdxl import (
    JSDXL,
    LORA,
    RECIPE,
    SDXL,
    SEARCH,
    coefficients,
    full_size,
    lora_changes,
    narrow,
    published,
)
from tiny import ROOT, Tensors, canonical, cli, merged
from torch import Tensor

from sdmerge.plan import Plan, plan
from sdmerge.recipe import Search, load_recipe
from sdmerge.sample.suited import suited

UNIX = pytest.mark.skipif(sys.platform == "win32", reason="files of zeros take room there")


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return narrow(tmp_path_factory.mktemp("narrow"))


@pytest.fixture(scope="module")
def full(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return full_size(tmp_path_factory.mktemp("full"))


@pytest.fixture(scope="module")
def planned(models: Path) -> Plan:
    return plan(load_recipe(RECIPE, ["dtype=float32"]), roots=[models])


@pytest.fixture(scope="module")
def result(planned: Plan) -> Tensors:
    return merged(planned)


def test_the_unet_is_what_the_script_makes(models: Path, result: Tensors) -> None:
    wanted = published(models)
    found = {key.removeprefix("unet."): one for key, one in result.items() if key[:5] == "unet."}
    assert found.keys() == wanted.keys()
    assert max(distance(found[key], wanted[key]) for key in wanted) < 2e-6
    # and the LoRA is in there at all
    changed = next(iter(lora_changes(models / LORA)))
    assert float(lora_changes(models / LORA)[changed].abs().max()) > 1e-4


def distance(one: Tensor, other: Tensor) -> float:
    return float((one.double().reshape(-1) - other.reshape(-1)).abs().max())


@pytest.mark.parametrize(
    ("component", "whose"), [("text_encoder", JSDXL), ("text_encoder_2", SDXL), ("vae", SDXL)]
)
def test_the_other_networks_are_taken_whole(
    component: str, whose: str, models: Path, result: Tensors
) -> None:
    given = canonical(models / whose)
    keys = [key for key in given if key.startswith(f"{component}.")]
    assert keys
    assert all(torch.equal(result[key].reshape(-1), given[key].float()) for key in keys)


def test_the_folder_brings_words_and_scheduler(models: Path, tmp_path: Path) -> None:
    done = cli("--models", models, "merge", RECIPE, "-o", tmp_path / "evo")
    assert done.code == 0, done.err
    index = json.loads((tmp_path / "evo" / "model_index.json").read_text("utf-8"))
    assert index["tokenizer"] == ["transformers", "T5Tokenizer"]
    assert index["tokenizer_2"] == ["transformers", "CLIPTokenizer"]
    assert (tmp_path / "evo" / "tokenizer" / "spiece.model").read_bytes() == b"Japanese"
    scheduler = json.loads(
        (tmp_path / "evo" / "scheduler" / "scheduler_config.json").read_text("utf-8")
    )
    own = json.loads((models / SDXL / "scheduler" / "scheduler_config.json").read_text("utf-8"))
    assert own["timestep_spacing"] == "leading"
    assert scheduler == {**own, "timestep_spacing": "trailing"}
    assert scheduler["_class_name"] == "EulerDiscreteScheduler"


def test_each_row_of_coefficients_sums_to_one() -> None:
    found = coefficients()
    assert len(found) == 14
    stages = (("sdxl", "dpo", "juggernaut", "jsdxl"),
              ("evolved", "lightning", "juggernaut_lightning"))  # fmt: skip
    for models_, group in ((stage, group) for stage in stages for group in ("attn", "rest")):
        assert sum(found[f"{name}/{group}"] for name in models_) == pytest.approx(1, abs=1e-12)


def test_the_search_contains_the_recipe(models: Path, result: Tensors) -> None:
    found = coefficients()
    settings = ["dtype=float32", "evolved.models[0].parameters.weight=3.224682864579401"]
    for stage, name in (("mixed.", "dpo"), ("mixed.", "juggernaut"), ("mixed.", "jsdxl"),
                        ("", "lightning"), ("", "juggernaut_lightning")):  # fmt: skip
        attn, rest = found[f"{name}/attn"], found[f"{name}/rest"]
        rules = rf"[{{filter: 're:to_[qkv]|to_out\.0', value: {attn}}}, {{value: {rest}}}]"
        settings.append(f"{stage}models[{name}].parameters.weight={rules}")
    again = merged(plan(load_recipe(SEARCH, settings), roots=[models]))
    assert again.keys() == result.keys()
    assert max(distance(again[key], result[key].double()) for key in result) < 2e-6


def test_the_search_has_eleven_genes() -> None:
    recipe = load_recipe(SEARCH)
    rules = [
        rule
        for stage in recipe.stages
        for model in stage.models
        for setting in model.parameters.values()
        for rule in setting
    ]
    assert len(rules) == 11
    assert all(isinstance(rule.value, Search) for rule in rules)


def test_it_draws_in_four_steps_without_guidance_unasked(planned: Plan) -> None:
    class Pipeline:
        scheduler = None

        def __call__(self, guidance_scale: float = 5.0) -> None: ...

    found = suited(Pipeline(), planned)
    assert (found.steps, found.guidance_scale) == (4, 1.0)


@UNIX
@pytest.mark.parametrize("name", ["evosdxl-jp", "evosdxl-jp-search", "evo-ukiyoe"])
def test_it_plans_on_models_of_full_size(name: str, full: Path) -> None:
    done = cli("--models", full, "plan", ROOT / "recipes" / f"{name}.yaml", "--json")
    assert done.code == 0, done.err
    assert done.data["family"] == "sdxl"
    how = {part["name"]: part["how"] for part in done.data["components"] if part["tensors"]}
    merged_ = {part["name"]: part["merged"] for part in done.data["components"]}
    assert merged_["unet"] == 1680
    assert merged_["text_encoder"] == merged_["text_encoder_2"] == merged_["vae"] == 0
    assert all(taken["tensors"] for taken in done.data["filters"])
    assert how["unet"].startswith(("linear", "task_arithmetic"))
    # attention: q, k, v, and out with its bias, twice in each of 70 layers
    counts = {taken["tensors"] for taken in done.data["filters"] if taken["filter"] != "*"}
    assert counts == {70 * 2 * 5}


_MERGE = """
import resource, sys
from pathlib import Path
from sdmerge.merge import stream
from sdmerge.plan import Plan, plan
from sdmerge.recipe import load_recipe
planned = plan(load_recipe(Path(sys.argv[1])), roots=[Path(sys.argv[2])])
count = sum(tensor.numel() * tensor.element_size() for _, tensor in stream(planned, threads=2))
print(count, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)
"""


@UNIX
@pytest.mark.long
def test_it_merges_at_full_size_in_bounded_memory(full: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", _MERGE, RECIPE, full], capture_output=True, text=True, check=True
    )
    written, peak = map(int, done.stdout.split())
    unit = 1 if sys.platform == "darwin" else 1024
    assert written > 6.9e9
    assert peak * unit < 1.5e9
