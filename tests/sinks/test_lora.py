"""LoRA files: what a recipe changes, in few numbers, exactly as far as is said."""

# torch does not type its linear algebra
# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false
# pyright: reportUnknownArgumentType=false

from __future__ import annotations

import functools
import itertools
import json
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any, get_args

import pytest
import torch
from tiny import ROOT, Data, canonical, cli, load, merged, metadata, planned, save
from torch import Tensor

from sdmerge.adapters import LoraFile, MappedSource, open_model
from sdmerge.adapters.lora.spelling import Dialect
from sdmerge.errors import InputError, PlanError, SdmergeError
from sdmerge.families.export import single_file_map
from sdmerge.merge import run
from sdmerge.recipe.output import LORA
from sdmerge.sinks import FileSink, LoraSink
from sdmerge.tensors.space import parse_size

BASE = ROOT / "samples" / "models" / "base"
LOCON = ROOT / "samples" / "loras" / "pop_locon.safetensors"
TUNED = ROOT / "samples" / "models" / "ukiyoe"
LORAS = tuple(ROOT / "samples" / "loras" / f"{name}.safetensors" for name in ("torii", "pop"))


@functools.cache
def base() -> MappedSource:
    opened = open_model(BASE)
    assert isinstance(opened, MappedSource)
    return opened


def changes(path: Path) -> dict[str, Tensor]:
    """What a LoRA file adds to the base, by canonical key, float64."""
    lora, model = open_model(path), base()
    assert isinstance(lora, LoraFile)
    specs = model.specs
    source = lora.bind(model.family, specs, single_file_map(model.family, specs))
    return {key: source.read(key).double().reshape(specs[key].shape) for key in source.specs}


def data(*models: Path, method: str = "task_arithmetic", **output: object) -> Data:
    return {
        "merge_method": method,
        "base_model": str(BASE),
        "models": [{"model": str(path), "name": f"m{at}"} for at, path in enumerate(models)],
        "output": {"layout": "lora", **output},
        "dtype": "float32",
    }


def encoder_only(recipe: Data) -> Data:
    """The recipe for the text encoder alone: the twelve matrices that both LoRAs change there."""
    return {**recipe, "components": {"unet": {"take": "base"}}}


def written(path: Path, recipe: Data, *, force: bool = False, **options: Any) -> LoraSink:
    sink = LoraSink(path, force=force)
    run(planned(recipe), sink, **options)
    return sink


def difference(recipe: Data) -> dict[str, Tensor]:
    """The same recipe's checkpoint less the base, float64, where they differ."""
    plain = {key: value for key, value in recipe.items() if key != "output"}
    after, before = merged(plain), canonical(BASE)
    found = {
        key: tensor.double() - before[key].double().reshape(tensor.shape)
        for key, tensor in after.items()
    }
    return {key: change for key, change in found.items() if change.any()}


def norm(changes: Mapping[str, Tensor]) -> float:
    return math.sqrt(sum(float(one.square().sum()) for one in changes.values()))


def errors(path: Path) -> tuple[float, dict[str, float]]:
    said = json.loads(metadata(path)["sdmerge.error"])
    return said["total"], said["modules"]


def half_of_both(a: Mapping[str, Tensor], b: Mapping[str, Tensor]) -> dict[str, Tensor]:
    zero = torch.zeros(())
    return {key: (a.get(key, zero) + b.get(key, zero)) / 2 for key in {**a, **b}}


@pytest.mark.parametrize("dialect", ["diffusers", "kohya"])
def test_loaded_at_full_strength_it_is_all_of_them_at_once(tmp_path: Path, dialect: str) -> None:
    recipe = data(*LORAS, dialect=dialect)
    for model, weight in zip(recipe["models"], (0.7, -0.4), strict=True):
        model["parameters"] = {"weight": weight}
    out = tmp_path / "x.safetensors"
    written(out, recipe)
    first, second = map(changes, LORAS)
    found = changes(out)
    assert found.keys() == first.keys() | second.keys()
    for key, change in found.items():
        zero = torch.zeros_like(change)
        wanted = 0.7 * first.get(key, zero) - 0.4 * second.get(key, zero)
        assert (change - wanted).abs().max() <= 1e-6 * wanted.abs().max(), key
    opened = open_model(out)
    assert isinstance(opened, LoraFile)
    assert opened.dialect == dialect
    assert max(opened.ranks) == 24
    assert metadata(out)["ss_network_dim"] == "Dynamic"
    assert errors(out)[0] < 1e-6


def test_alpha_is_the_rank(tmp_path: Path) -> None:
    written(tmp_path / "x.safetensors", data(*LORAS, dialect="kohya", rank=4))
    tensors = load(tmp_path / "x.safetensors")
    alphas = {float(one) for name, one in tensors.items() if name.endswith(".alpha")}
    assert alphas == {4.0}
    said = metadata(tmp_path / "x.safetensors")
    assert (said["ss_network_dim"], said["ss_network_alpha"]) == ("4", "4")


@pytest.mark.parametrize(
    ("method", "bounds"),
    [
        ("task_arithmetic", {"rank": 5}),
        ("ties", {"energy": 0.8}),
        ("knots", {"error": 0.3}),
        ("linear", {"ratio": 0.2, "rank": 9}),
        ("dare_linear", {"quantile": 0.5}),
    ],
)
def test_the_error_it_states_is_the_error_it_has(
    tmp_path: Path, method: str, bounds: Mapping[str, object]
) -> None:
    recipe = encoder_only(data(*LORAS, method=method, **bounds))
    if method == "linear":  # convolutions and all
        recipe = data(LORAS[0], LOCON, method=method, **bounds)
    out = tmp_path / "x.safetensors"
    sink = written(out, recipe)
    wanted, found = difference(recipe), changes(out)
    if method == "linear":  # the checkpoint rounds small changes away
        wanted = half_of_both(changes(LORAS[0]), changes(LOCON))
    assert found.keys() == wanted.keys()
    total, own = errors(out)
    off = {key: found[key] - change for key, change in wanted.items()}
    # the checkpoint has rounded the sum with the base, which the LoRA has not
    assert total == pytest.approx(norm(off) / norm(wanted), rel=5e-3)
    assert sink.error == pytest.approx(total, rel=1e-2)
    for key, change in wanted.items():
        assert own[key] == pytest.approx(float(off[key].norm() / change.norm()), rel=1e-2, abs=1e-4)
        if "error" in bounds:
            assert own[key] <= 0.3 + 1e-6


def test_no_lora_of_its_rank_is_nearer(tmp_path: Path) -> None:
    recipe = encoder_only(data(*LORAS, method="ties", rank=4))
    out = tmp_path / "x.safetensors"
    written(out, recipe)
    found = changes(out)
    for key, change in difference(recipe).items():
        matrix = change.reshape(len(change), -1)
        least = float(torch.linalg.svdvals(matrix)[4:].norm())
        off = float((found[key] - change).norm())
        assert off <= 1.01 * least + 1e-5 * float(matrix.norm()), key


def test_a_lora_that_was_baked_in_comes_out_again(tmp_path: Path) -> None:
    baked = tmp_path / "baked.safetensors"
    recipe = {key: value for key, value in data(LORAS[1]).items() if key != "output"}
    run(planned(recipe), FileSink(baked))
    out = tmp_path / "x.safetensors"
    written(out, data(baked, rank=16))
    wanted, found = changes(LORAS[1]), changes(out)
    assert found.keys() == wanted.keys()
    for key, change in wanted.items():
        # the baked weights are rounded to float32
        assert (found[key] - change).abs().max() <= 5e-7, key


def test_biases_and_norms_come_along_where_they_can(tmp_path: Path) -> None:
    out = tmp_path / "x.safetensors"
    written(out, data(TUNED, dialect="kohya", rank=32))
    wanted = difference(data(TUNED))
    found = changes(out)
    assert found.keys() == wanted.keys()
    whole = {key for key, one in wanted.items() if one.ndim == 1 or "embedding.weight" in key}
    assert len(whole) > 300
    for key in whole:
        assert torch.equal(found[key], wanted[key]), key
    with pytest.raises(PlanError, match=r"cannot be said in diffusers: norm .*full difference"):
        written(tmp_path / "y.safetensors", data(TUNED, rank=4))
    assert not (tmp_path / "y.safetensors").exists()
    left = written(tmp_path / "y.safetensors", data(TUNED, rank=4, partial=True)).left_out
    assert left.keys() == whole
    assert changes(tmp_path / "y.safetensors").keys() == wanted.keys() - whole


def test_a_size_is_kept(tmp_path: Path) -> None:
    out = tmp_path / "x.safetensors"
    cases: list[tuple[str, Data]] = [("400KB", {"conv_rank": 2}), ("200KB", {})]
    for size, bounds in cases:
        recipe = data(LORAS[0], LOCON, size=size, dialect="kohya", **bounds)
        written(out, {**recipe, "dtype": "float16"} if bounds else encoder_only(recipe), force=True)
        assert 0.4 * parse_size(size) < out.stat().st_size <= parse_size(size)
    with pytest.raises(InputError, match="50,000 bytes are too few: at rank 1 it has"):
        written(tmp_path / "y.safetensors", data(*LORAS, size="50KB"))


@pytest.mark.parametrize("method", ["task_arithmetic", "ties"])
def test_the_same_bytes_whoever_works(tmp_path: Path, method: str) -> None:
    out, contents = tmp_path / "x.safetensors", set[bytes]()
    recipe = encoder_only(data(*LORAS, method=method, rank=4))
    for threads, slab in ((1, 1 << 18), (2, 1 << 18), (3, 1000)):
        written(out, recipe, force=True, threads=threads, slab=slab)
        contents.add(out.read_bytes())
    assert len(contents) == 1


def test_it_says_where_it_came_from(tmp_path: Path) -> None:
    out = tmp_path / "x.safetensors"
    written(out, encoder_only(data(*LORAS, method="ties", rank=4, dialect="kohya")))
    said = metadata(out)
    assert said["modelspec.architecture"] == "stable-diffusion-v1/lora"
    assert said["ss_network_module"] == "networks.lora"
    assert cli("verify", out).code == 0
    shown = cli("show", out).out
    assert "layout: lora" in shown
    assert "rank: 4" in shown
    tensors = dict(load(out))
    name = next(one for one in tensors if one.endswith("lora_up.weight"))
    tensors[name] = tensors[name] + 1
    broken = save(tmp_path / "broken.safetensors", tensors, said)
    done = cli("verify", broken)
    assert done.code == 2
    assert name in done.err


@pytest.mark.parametrize(
    ("recipe", "said"),
    [
        ({**data(TUNED), "base_model": None}, "needs a base_model"),
        (data(TUNED), "how large is the LoRA to be"),
        (data(TUNED, rank=4, dialect="latin"), "dialect = 'latin' should be one of kohya"),
        (data(BASE, method="linear", rank=4), "does not differ from base_model"),
    ],
)
def test_what_cannot_be_a_lora(tmp_path: Path, recipe: Data, said: str) -> None:
    given = {key: value for key, value in recipe.items() if value is not None}
    with pytest.raises(SdmergeError, match=said):
        written(tmp_path / "x.safetensors", given)
    assert not list(tmp_path.iterdir())


def test_recipes_know_every_dialect() -> None:
    known = next(param for param in LORA if param.name == "dialect")
    assert known.choices == get_args(Dialect)


def test_only_its_own_sink_takes_it(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="result is a LoRA, not a model"):
        run(planned(data(LORAS[0])), FileSink(tmp_path / "x.safetensors"))
    assert not list(tmp_path.iterdir())


def test_an_operator_needs_a_base_and_has_one_at_hand(tmp_path: Path) -> None:
    dora = ROOT / "samples" / "loras" / "pop_dora.safetensors"
    recipe = data(dora, rank=24, dialect="kohya")
    out = tmp_path / "x.safetensors"
    written(out, recipe)
    wanted, found = difference(recipe), changes(out)
    assert found.keys() == wanted.keys()
    off = {key: found[key] - change for key, change in wanted.items()}
    assert errors(out)[0] == pytest.approx(norm(off) / norm(wanted), rel=1e-2)


def real_sized(path: Path, seed: int, rank: int, width: int = 768) -> Path:
    """A LoRA of SD1's own widths, of a few modules."""
    source = torch.Generator().manual_seed(seed)
    tensors: dict[str, Tensor] = {}
    for block, part in itertools.product((0, 1), ("to_k", "to_v")):
        name = f"lora_unet_down_blocks_{block}_attentions_0_transformer_blocks_0_attn2_{part}"
        rows = 320 * (block + 1)
        tensors[f"{name}.lora_up.weight"] = torch.randn(rows, rank, generator=source)
        tensors[f"{name}.lora_down.weight"] = torch.randn(rank, width, generator=source)
        tensors[f"{name}.alpha"] = torch.tensor(rank / 2)
    return save(path, {name: one.half() for name, one in tensors.items()})


@pytest.mark.parametrize("method", ["task_arithmetic", "linear", "slerp", "ties"])
def test_loras_of_a_known_family_need_no_base(tmp_path: Path, method: str) -> None:
    a = real_sized(tmp_path / "a.safetensors", 1, 4)
    b = real_sized(tmp_path / "b.safetensors", 2, 8)
    out = tmp_path / "x.safetensors"
    done = cli("lora", "merge", a, b, "-o", out, "--dialect", "kohya", "--method", method)
    assert done.code == 0, done.err
    first, second, found = load(a), load(b), load(out)
    assert found.keys() == first.keys()
    if method not in ("task_arithmetic", "linear"):
        return
    share = 1.0 if method == "task_arithmetic" else 0.5
    for name in (one.removesuffix(".alpha") for one in found if one.endswith(".alpha")):
        up, down = f"{name}.lora_up.weight", f"{name}.lora_down.weight"
        product = found[up].double() @ found[down].double()
        parts = [one[up].double() @ one[down].double() / 2 for one in (first, second)]
        wanted = share * (parts[0] + parts[1])
        assert float(found[f"{name}.alpha"]) == len(found[down]) == 12
        assert (product - wanted).norm() <= 1e-3 * wanted.norm()
        assert found[up].dtype == torch.float16


def test_loras_of_two_families_do_not_meet(tmp_path: Path) -> None:
    a = real_sized(tmp_path / "a.safetensors", 1, 4)
    b = real_sized(tmp_path / "b.safetensors", 2, 4, width=1024)
    recipe = {key: value for key, value in data(a, b).items() if key != "base_model"}
    with pytest.raises(PlanError, match="'m1' is for Stable Diffusion 2"):
        planned(recipe)


def test_the_command_says_what_is_lost(tmp_path: Path) -> None:
    out = tmp_path / "x.safetensors"
    words = ("lora", "extract", TUNED, "--base", BASE, "--dialect", "kohya", "-o", out)
    done = cli(*words, "--rank", "4", "--dtype", "float16")
    assert done.code == 0, done.err
    total, own = errors(out)
    assert f"relative error of the whole {total:.2e}" in done.out
    worst = max(own.items(), key=lambda one: one[1])
    assert f"{worst[1]:.2e}" in done.out
    again = cli(*words)
    assert again.code == 2
    assert "exists already" in again.err
    answer = json.loads(cli(*words, "--force", "--json").out)
    assert answer["rank"] == 32
    assert len(answer["modules"]) == len(own)
    assert answer["error"] < total
    assert cli("lora", "extract", TUNED, "-o", tmp_path / "y.safetensors").code == 2
    wrong = cli("merge", TUNED, "--base", BASE, "--method", "ties", "--layout", "lora", "-o", "y/")
    assert wrong.code == 2
