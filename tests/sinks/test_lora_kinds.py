"""Changes stored as DoRA and as LoKr: what is applied is what is said, to us and to others."""

# torch does not type its linear algebra, and LyCORIS nothing
# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false
# pyright: reportUnknownArgumentType=false

from __future__ import annotations

import functools
import json
import math
from pathlib import Path
from typing import Any

import pytest
import torch
from lycoris.modules.lokr import LokrModule
from tiny import ROOT, Data, cli, load, metadata, planned
from torch import Tensor, nn

from sdmerge.adapters import LoraFile, MappedSource, open_model
from sdmerge.errors import PlanError
from sdmerge.families.export import single_file_map
from sdmerge.merge import run
from sdmerge.plan import plan
from sdmerge.recipe import recipe_from_data
from sdmerge.sample.denoising import noisy
from sdmerge.sample.pipeline import build_pipeline
from sdmerge.sinks import LoraSink

BASE = ROOT / "samples" / "models" / "base"
TUNED = ROOT / "samples" / "models" / "ukiyoe"
POP = ROOT / "samples" / "loras" / "pop.safetensors"


def data(kind: str, **output: object) -> Data:
    return {
        "merge_method": "task_arithmetic", "base_model": str(BASE),
        "models": [{"model": str(TUNED), "name": "tuned",
                    "parameters": {"weight": [{"filter": "text_encoder", "value": 1},
                                              {"filter": "M00", "value": 1}, {"value": 0}]}}],
        "output": {"layout": "lora", "kind": kind, "dialect": "kohya", "partial": True, **output},
        "dtype": "float32",
    }  # fmt: skip


def written(path: Path, kind: str, **output: object) -> LoraSink:
    sink = LoraSink(path)
    run(planned(data(kind, **output)), sink)
    return sink


@functools.cache
def weights(path: Path) -> dict[str, Tensor]:
    """Canonical weights in their shapes, float64."""
    model = open_model(path)
    assert isinstance(model, MappedSource)
    return {key: model.read(key).double().view(spec.shape) for key, spec in model.specs.items()}


def after(path: Path) -> dict[str, Tensor]:
    """The base's weights as the file changes them, by the product's own reader."""
    lora, model = open_model(path), open_model(BASE)
    assert isinstance(lora, LoraFile)
    assert isinstance(model, MappedSource)
    source = lora.bind(model.family, model.specs, single_file_map(model.family, model.specs))
    return {key: source.apply(key, weights(BASE)[key].float()).double() for key in source.specs}


def check_errors(path: Path, sink: LoraSink) -> float:
    """Each module's error and the whole's, from what the file makes of the base."""
    said = json.loads(metadata(path)["sdmerge.error"])
    found, off, size = after(path), 0.0, 0.0
    for key, (_, error) in sink.summary().items():
        if key:
            whole = weights(TUNED)[key] - weights(BASE)[key]
            left = (found[key] - weights(TUNED)[key]).norm()
            # what is applied is rounded to single precision
            rounding = 1e-6 * float(weights(TUNED)[key].norm())
            length = float(whole.norm())
            assert error * length == pytest.approx(float(left), rel=1e-3, abs=rounding), key
            assert said["modules"][key] == pytest.approx(error, rel=1e-2)
            off, size = off + float(left**2), size + float(whole.norm() ** 2)
    assert said["total"] == pytest.approx(math.sqrt(off / size), rel=1e-2, abs=1e-5)
    return said["total"]


def test_a_dora_is_nearer_than_a_lora_of_its_rank(tmp_path: Path) -> None:
    totals: dict[str, float] = {}
    for kind in ("lora", "dora"):
        path = tmp_path / f"{kind}.safetensors"
        totals[kind] = check_errors(path, written(path, kind, rank=4))
    assert totals["dora"] < totals["lora"]
    opened = open_model(tmp_path / "dora.safetensors")
    assert isinstance(opened, LoraFile)
    assert {"DoRA", "DoRA + full difference", "norm"} <= {*opened.kinds}
    assert set(opened.magnitudes) == {"output"}
    tensors = load(tmp_path / "dora.safetensors")
    scales = {t.dtype for name, t in tensors.items() if name.endswith("dora_scale")}
    assert scales == {torch.float32}
    arguments = json.loads(metadata(tmp_path / "dora.safetensors")["ss_network_args"])
    assert arguments == {"algo": "lora", "dora_wd": "True"}


def test_half_precision_is_fitted_to(tmp_path: Path) -> None:
    """Magnitudes of half precision alone would be further off than the change is large."""
    recipe = {**data("dora", rank=8), "dtype": "float16"}
    sink = LoraSink(tmp_path / "x.safetensors")
    run(planned(recipe), sink)
    half = check_errors(tmp_path / "x.safetensors", sink)
    path = tmp_path / "y.safetensors"
    full = check_errors(path, written(path, "dora", rank=8))
    assert half == pytest.approx(full, rel=0.01)


@pytest.mark.parametrize(
    "output", [{}, {"rank": 2, "factor": 4}, {"factor": 8}, {"energy": 0.9, "factor": 2}]
)
def test_lycoris_rebuilds_the_same_lokr(tmp_path: Path, output: Data) -> None:
    path = tmp_path / "x.safetensors"
    check_errors(path, written(path, "lokr", **output))
    ours, tensors = after(path), load(path)
    opened = open_model(path)
    assert isinstance(opened, LoraFile)
    model = open_model(BASE)
    assert isinstance(model, MappedSource)
    source = opened.bind(model.family, model.specs, single_file_map(model.family, model.specs))
    low = 0
    for key in source.specs:
        module = source.changes[key][0].module
        own: dict[str, Any] = {
            name: tensors.get(f"{module}.{name}") for name in LokrModule.weight_list
        }
        if own["lokr_w1"] is None or len(source.specs[key].shape) == 1:
            continue
        shape = source.specs[key].shape
        layer: nn.Module = nn.Linear(shape[1], shape[0])
        if len(shape) > 2:
            layer = nn.Conv2d(shape[1], shape[0], shape[2])
        with torch.no_grad():
            theirs = LokrModule.make_module_from_state_dict(module, layer, *own.values())
            change = theirs.get_weight(shape).double()
        assert (ours[key] - weights(BASE)[key] - change).abs().max() < 1e-6, key
        low += own["lokr_w2_a"] is not None
    assert (low > 0) == ("rank" in output or "energy" in output)


def test_the_size_is_kept_to(tmp_path: Path) -> None:
    for kind, more in (("dora", {}), ("lokr", {"factor": 2})):
        path = tmp_path / f"{kind}.safetensors"
        recipe = {**data(kind, size="1MB", **more), "components": {"unet": {"take": "base"}}}
        run(planned(recipe), LoraSink(path))
        assert path.stat().st_size <= 1_000_000


def test_a_lora_is_merged_into_a_lokr_without_a_base(tmp_path: Path) -> None:
    out = tmp_path / "x.safetensors"
    said = cli("lora", "merge", POP, "--kind", "lokr", "--factor", "4", "-o", out)
    assert said.code == 0, said.err
    opened = open_model(out)
    assert isinstance(opened, LoraFile)
    assert set(opened.kinds) == {"LoKr"}
    assert opened.dialect == "kohya"
    assert cli("verify", out, "-q").out == "same\n"


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"output": {"layout": "lora", "kind": "dora", "rank": 4}, "base_model": None},
         "lengths of the base"),
        ({"output": {"layout": "lora", "kind": "lokr", "dialect": "diffusers"}},
         "cannot be said in diffusers: LoKr"),
        ({"output": {"layout": "lora", "kind": "lora", "rank": 4, "factor": 8}}, "kind: lokr"),
        ({"output": {"layout": "lora", "kind": "lokr", "factor": 0}}, "splits nothing"),
        ({"output": {"layout": "lora", "kind": "lokr", "conv_rank": 4}}, "has no rank"),
    ],
)  # fmt: skip
def test_what_goes_not_together(tmp_path: Path, changed: Data, said: str) -> None:
    recipe = {**data("lora"), "models": [{"model": str(POP)}], **changed}
    recipe = {key: value for key, value in recipe.items() if value is not None}
    with pytest.raises(PlanError, match=said):
        run(planned(recipe), LoraSink(tmp_path / "x.safetensors"))
    assert not list(tmp_path.iterdir())


def test_a_dora_is_what_peft_makes_of_it(tmp_path: Path) -> None:
    """In plain diffusers, against the weights that it is baked into."""
    out = tmp_path / "x.safetensors"
    said = cli("lora", "merge", POP, "--kind", "dora", "--base", BASE, "--rank", "16",
               "--dtype", "float32", "-o", out)  # fmt: skip
    assert said.code == 0, said.err

    def pipeline(**more: object) -> Any:
        recipe = {"merge_method": "passthrough", "models": [{"model": str(BASE)}], **more}
        return build_pipeline(plan(recipe_from_data({**recipe, "dtype": "float32"})))

    latent = torch.randn(1, 4, 8, 8, generator=torch.Generator().manual_seed(1))
    plain, baked = pipeline(), pipeline(apply=[str(out)])
    with torch.no_grad():
        before = noisy(plain, latent, 1).predicted(plain, ["a star"])
        wanted = noisy(baked, latent, 1).predicted(baked, ["a star"])
        plain.load_lora_weights(tmp_path, weight_name=out.name)
        found = noisy(plain, latent, 1).predicted(plain, ["a star"])
    assert float((found - wanted).norm() / wanted.norm()) < 1e-4
    assert float((before - wanted).norm() / wanted.norm()) > 1e-2
