"""mergekit's kinds of recipes on language models: they plan as they are, and give its numbers.

The references are written from mergekit's documentation: gradients run over the layers, what comes
before the first layer has its value and what comes after the last one has the last's.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import numpy as np
import pytest
import torch
from methods.reference import kept_by_dare
from tiny import Said, cli, listing, load, recipe, save

LAYERS = 40
BEFORE, AFTER = ("model.embed_tokens.weight",), ("lm_head.weight", "model.norm.weight")
PARTS = ("input_layernorm.weight", "mlp.down_proj.weight", "self_attn.q_proj.weight")
NAMES = (*BEFORE, *AFTER, *(f"model.layers.{n}.{part}" for n in range(LAYERS) for part in PARTS))

TUNED = ("orca/mini-13b", "wizard/math-13b", "platy/pus-13b")

Arrays = Mapping[str, np.ndarray]


@pytest.fixture(scope="module")
def zoo(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A base and three fine-tunes of it, as the hub has them: a folder each, one in shards."""
    folder = tmp_path_factory.mktemp("zoo")
    draw = torch.Generator().manual_seed(0)
    base = {name: torch.randn(shape(name), generator=draw) for name in NAMES}
    for owner in ("meta/base-13b", *TUNED):
        step = 0.0 if owner.startswith("meta") else 0.3
        tensors = {
            name: (tensor + step * torch.randn(tensor.shape, generator=draw)).bfloat16()
            for name, tensor in base.items()
        }
        write(folder / owner, tensors, shards=2 if owner.startswith("platy") else 1)
    return folder


def shape(name: str) -> tuple[int, ...]:
    return (6,) if "norm" in name else (6, 4)


def write(folder: Path, tensors: Mapping[str, torch.Tensor], shards: int) -> None:
    names = [f"model-{n:05d}-of-{shards:05d}.safetensors" for n in range(1, shards + 1)]
    names = names if shards > 1 else ["model.safetensors"]
    where = {key: names[place * shards // len(tensors)] for place, key in enumerate(tensors)}
    for name in names:
        save(folder / name, {key: t for key, t in tensors.items() if where[key] == name})
    if shards > 1:
        index = {"metadata": {}, "weight_map": where}
        (folder / "model.safetensors.index.json").write_text(json.dumps(index))
    (folder / "config.json").write_text(
        json.dumps({"num_hidden_layers": LAYERS, "of": folder.name})
    )
    (folder / "tokenizer.json").write_text("{}")


def arrays(zoo: Path, owner: str) -> Arrays:
    return {name: tensor.double().numpy() for name, tensor in load(zoo / owner).items()}


def merge(zoo: Path, text: str, out: Path, *flags: str) -> Said:
    said = cli("merge", recipe(zoo / "r.yaml", text), "-o", out, *flags)
    assert said.code == 0, said.err
    return said


def depth(name: str) -> float:
    if name in BEFORE:
        return 0.0
    return 1.0 if name in AFTER else int(name.split(".")[2]) / (LAYERS - 1)


def gradient(points: Sequence[float], name: str) -> float:
    return float(np.interp(depth(name), np.linspace(0, 1, len(points)), points))


def agrees(out: Path, expected: Callable[[str], np.ndarray], dtype: torch.dtype) -> None:
    result = load(out)
    assert set(result) == set(NAMES)
    for name, tensor in result.items():
        assert tensor.dtype == dtype
        wanted = torch.from_numpy(expected(name)).float()
        # a step of the stored dtype: the reference is in float64
        tolerance = torch.finfo(dtype).eps * wanted.abs() + 1e-7
        assert ((tensor.float() - wanted).abs() <= tolerance).all(), name


def test_linear(zoo: Path, tmp_path: Path) -> None:
    text = """
models:
  - model: orca/mini-13b
    parameters:
      weight: 1.0
  - model: wizard/math-13b
    parameters:
      weight: 0.3
  - model: platy/pus-13b
    parameters:
      weight: 0.5
merge_method: linear
dtype: float16
"""
    merge(zoo, text, tmp_path / "out")
    orca, wizard, platy = (
        arrays(zoo, f"{n}-13b") for n in ("orca/mini", "wizard/math", "platy/pus")
    )
    agrees(
        tmp_path / "out",
        lambda name: (orca[name] + 0.3 * wizard[name] + 0.5 * platy[name]) / 1.8,
        torch.float16,
    )


SLERP = """
slices:
  - sources:
      - model: orca/mini-13b
        layer_range: [0, 40]
      - model: platy/pus-13b
        layer_range: [0, 40]
merge_method: slerp
base_model: orca/mini-13b
parameters:
  t:
    - filter: self_attn
      value: [0, 0.5, 0.3, 0.7, 1]
    - filter: mlp
      value: [1, 0.5, 0.7, 0.3, 0]
    - value: 0.5 # fallback for rest of tensors
  norm: raw
dtype: float16
"""


def test_slerp_by_slices_with_gradients(zoo: Path, tmp_path: Path) -> None:
    merge(zoo, SLERP, tmp_path / "out")
    first, second = arrays(zoo, "orca/mini-13b"), arrays(zoo, "platy/pus-13b")

    def expected(name: str) -> np.ndarray:
        t = 0.5
        if "self_attn" in name:
            t = gradient([0, 0.5, 0.3, 0.7, 1], name)
        elif "mlp" in name:
            t = gradient([1, 0.5, 0.7, 0.3, 0], name)
        a, b = first[name].ravel(), second[name].ravel()
        angle = np.arccos(a @ b / np.linalg.norm(a) / np.linalg.norm(b))
        mixed = (np.sin((1 - t) * angle) * a + np.sin(t * angle) * b) / np.sin(angle)
        return mixed.reshape(first[name].shape)

    agrees(tmp_path / "out", expected, torch.float16)


def test_slerp_by_models_is_the_same(zoo: Path, tmp_path: Path) -> None:
    models = "models:\n  - model: orca/mini-13b\n  - model: platy/pus-13b\n"
    plain = models + SLERP[SLERP.index("merge_method") :]
    merge(zoo, SLERP, tmp_path / "slices")
    merge(zoo, plain, tmp_path / "models")
    one, two = load(tmp_path / "slices"), load(tmp_path / "models")
    assert all(torch.equal(one[name], two[name]) for name in NAMES)


def test_ties_with_gradients(zoo: Path, tmp_path: Path) -> None:
    text = """
models:
  - model: orca/mini-13b
    parameters:
      density: [1, 0.7, 0.1] # density gradient
      weight: 1.0
  - model: platy/pus-13b
    parameters:
      density: 0.5
      weight: [0, 0.3, 0.7, 1] # weight gradient
  - model: wizard/math-13b
    parameters:
      density: 0.33
      weight:
        - filter: mlp
          value: 0.5
        - value: 0
merge_method: ties
base_model: meta/base-13b
parameters:
  normalize: true
  int8_mask: true
dtype: float16
"""
    said = merge(zoo, text, tmp_path / "out")
    assert "int8_mask is ignored" in said.out
    base = arrays(zoo, "meta/base-13b")
    orca, wizard, platy = (arrays(zoo, owner) for owner in TUNED)
    tuned = [orca, platy, wizard]

    def expected(name: str) -> np.ndarray:
        densities = [gradient([1, 0.7, 0.1], name), 0.5, 0.33]
        weights = [1.0, gradient([0, 0.3, 0.7, 1], name), 0.5 if "mlp" in name else 0.0]
        kept = [trimmed(model[name] - base[name], d)
                for model, d in zip(tuned, densities, strict=True)]  # fmt: skip
        weighted = np.stack([w * k for w, k in zip(weights, kept, strict=True)])
        sign = np.sign(weighted.sum(0))
        agree = (np.sign(weighted) == sign) & (sign != 0)
        total = (np.reshape(weights, (3, *[1] * base[name].ndim)) * agree).sum(0)
        return base[name] + (weighted * agree).sum(0) / np.where(total > 0, total, 1)

    agrees(tmp_path / "out", expected, torch.float16)


def trimmed(delta: np.ndarray, density: float) -> np.ndarray:
    count = int(np.ceil(density * delta.size - 1e-6))
    cut = np.sort(np.abs(delta).ravel())[-count] if count else np.inf
    return np.where(np.abs(delta) >= cut, delta, 0.0)


def test_dare_ties_with_the_base_among_the_models(zoo: Path, tmp_path: Path) -> None:
    text = """
models:
  - model: meta/base-13b
    # No parameters necessary for base model
  - model: orca/mini-13b
    parameters:
      density: 0.53
      weight: 0.4
  - model: platy/pus-13b
    parameters:
      density: 0.4
      weight: 0.3
merge_method: dare_ties
base_model: meta/base-13b
parameters:
  int8_mask: true
seed: 11
dtype: bfloat16
"""
    said = merge(zoo, text, tmp_path / "out")
    assert "123 tensors merged, 0 copied" in said.out
    base = arrays(zoo, "meta/base-13b")
    tuned = {n.split("/")[1]: arrays(zoo, n) for n in ("orca/mini-13b", "platy/pus-13b")}
    settings = {"mini-13b": (0.53, 0.4), "pus-13b": (0.4, 0.3)}

    def expected(name: str) -> np.ndarray:
        weighted, shares = [], []
        for alias, (density, weight) in settings.items():
            delta = tuned[alias][name] - base[name]
            mask = [kept_by_dare(11, name, alias, place, density) for place in range(delta.size)]
            kept = np.where(np.reshape(mask, delta.shape), delta, 0.0) / density
            weighted.append(weight * kept)
            shares.append(weight)
        both = np.stack(weighted)
        sign = np.sign(both.sum(0))
        agree = (np.sign(both) == sign) & (sign != 0)
        total = (np.reshape(shares, (2, *[1] * base[name].ndim)) * agree).sum(0)
        return base[name] + (both * agree).sum(0) / np.where(total > 0, total, 1)

    agrees(tmp_path / "out", expected, torch.bfloat16)


def test_the_folder_keeps_what_lies_beside_the_weights(zoo: Path, tmp_path: Path) -> None:
    text = "merge_method: linear\nmodels: [{model: platy/pus-13b}, {model: orca/mini-13b}]\n"
    merge(zoo, text, tmp_path / "out")
    assert listing(tmp_path / "out") == [
        "config.json", "model.safetensors", "sdmerge.json", "tokenizer.json",
    ]  # fmt: skip
    assert json.loads((tmp_path / "out" / "config.json").read_text())["of"] == "pus-13b"
    assert cli("verify", tmp_path / "out", "-q").out == "same\n"


def test_the_folder_may_be_in_shards(zoo: Path, tmp_path: Path) -> None:
    text = "merge_method: linear\nmodels: [{model: platy/pus-13b}, {model: orca/mini-13b}]\n"
    merge(zoo, text, tmp_path / "out", "--max-shard-size", "2kB")
    index = json.loads((tmp_path / "out" / "model.safetensors.index.json").read_text())
    assert set(index["weight_map"]) == set(NAMES)
    assert len(set(index["weight_map"].values())) > 2
    assert cli("verify", tmp_path / "out", "-q").out == "same\n"


@pytest.mark.parametrize(
    ("text", "phrases"),
    [
        (SLERP.replace("[0, 40]", "[0, 32]"), ["layer_range [0, 32]", "it has 40 layers"]),
        (SLERP.replace("[0, 40]", "[8, 40]"), ["r.yaml:5", "not the full range"]),
        (
            SLERP.replace(
                "merge_method", "  - sources:\n      - model: orca/mini-13b\nmerge_method"
            ),
            ["2 slices re-order layers"],
        ),
        (SLERP.replace("slerp", "frankenmerge"), ["no merge method 'frankenmerge'", "Known:"]),
        (SLERP.replace("slerp", "passthrough"), ["passthrough has no parameter 't'"]),
        (SLERP.replace("self_attn", "self_atn"), ["'self_atn' takes no tensor", "a class (attn"]),
        (SLERP.replace("slices:", "models: []\nslices:"), ["either models or slices"]),
    ],
)
def test_what_is_refused(zoo: Path, tmp_path: Path, text: str, phrases: list[str]) -> None:
    said = cli("merge", recipe(zoo / "r.yaml", text), "-o", tmp_path / "out")
    assert said.code == 2, said.err
    assert all(phrase in said.err for phrase in phrases), said.err
    assert listing(tmp_path) == []
