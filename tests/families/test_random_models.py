# pyright: reportUnknownMemberType=false
from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from sdmerge.adapters import MappedSource, open_model
from sdmerge.errors import FamilyError, InputError
from sdmerge.families import FAMILIES, recognise, recognise_folder
from sdmerge.tensors.store import open_component, open_store
from sdmerge.testing import copy_by, random_model, random_specs, random_tensor

NAMES = [family.name for family in FAMILIES]


def tensors_of(path: Path) -> dict[str, Tensor]:
    """The canonical tensors of a single file."""
    store = open_store(path)
    answer = recognise(store.specs)
    assert answer
    return copy_by(answer.keymap, {name: store.read(name) for name in store.specs})


@pytest.mark.parametrize("name", NAMES)
def test_a_tiny_model_has_every_tensor_and_is_small(tmp_path: Path, name: str) -> None:
    path = random_model(tmp_path / "m.safetensors", name, scale="tiny")
    assert path.stat().st_size < 10_000_000
    store = open_store(path)
    answer = recognise(store.specs)
    assert answer
    assert (answer.family.name, answer.missing, answer.extra) == (name, (), ())
    unet = FAMILIES.get(name).specs("unet")
    assert unet.keys() <= answer.keymap.specs.keys()


def test_both_layouts_hold_the_same_tensors(tmp_path: Path) -> None:
    single = tensors_of(random_model(tmp_path / "m.safetensors", "sdxl", scale="tiny", seed=3))
    folder = random_model(tmp_path / "m", "sdxl", "diffusers", scale="tiny", seed=3)
    stores = {name: open_component(folder / name) for name in FAMILIES.get("sdxl").by_name}
    held = {name: store for name, store in stores.items() if store}
    answer = recognise_folder({name: store.specs for name, store in held.items()})
    assert answer
    flat = {f"{n}.{key}": store.read(key) for n, store in held.items() for key in store.specs}
    other = copy_by(answer.keymap, flat)
    assert single.keys() == other.keys()
    assert all(torch.equal(single[key], other[key]) for key in single)


def test_shards_and_pickles_hold_the_same_tensors(tmp_path: Path) -> None:
    single = tensors_of(random_model(tmp_path / "m.safetensors", "sd1", scale="tiny", seed=3))
    folder = random_model(
        tmp_path / "m", "sd1", "diffusers", scale="tiny", seed=3, shard_size="500KB"
    )
    assert len([*(folder / "unet").glob("*-of-*.safetensors")]) > 1
    pickled = random_model(tmp_path / "m.ckpt", "sd1", scale="tiny", seed=3)
    assert not [path for path in tmp_path.iterdir() if path.is_dir() and path != folder]
    for path in (folder, pickled):
        source = open_model(path, allow_pickle=True)
        assert isinstance(source, MappedSource)
        for key, tensor in single.items():
            assert torch.equal(source.read(key), tensor.reshape(-1)), key


def test_a_tensor_can_be_drawn_again(tmp_path: Path) -> None:
    tensors = tensors_of(random_model(tmp_path / "m.safetensors", "sd1", scale="tiny", seed=5))
    specs = random_specs(FAMILIES.get("sd1"), scale="tiny")
    for key in ("unet.conv_in.weight", "vae.decoder.mid_block.attentions.0.to_q.weight"):
        assert torch.equal(random_tensor(key, specs[key], 5), tensors[key])
        assert not torch.equal(random_tensor(key, specs[key], 6), tensors[key])


def test_a_fine_tune_is_near_what_it_was_made_of(tmp_path: Path) -> None:
    def unet(name: str, seed: int, perturb_of: int | None = None) -> dict[str, Tensor]:
        path = random_model(
            tmp_path / f"{name}.safetensors",
            "sd1",
            scale="tiny",
            dtype="float32",
            components=["unet"],
            seed=seed,
            perturb_of=perturb_of,
        )
        return tensors_of(path)

    base, tuned = unet("base", 1), unet("tuned", 2, perturb_of=1)
    key = "unet.mid_block.resnets.0.conv1.weight"
    change = (tuned[key] - base[key]).std()
    assert 0.05 < change / base[key].std() < 0.2


def test_the_same_seed_gives_the_same_bytes(tmp_path: Path) -> None:
    files = [
        random_model(tmp_path / name, "sd2", scale="tiny", components=["text_encoder"])
        for name in ("a.safetensors", "b.safetensors")
    ]
    assert files[0].read_bytes() == files[1].read_bytes()


def test_a_variant_and_a_dtype(tmp_path: Path) -> None:
    path = random_model(
        tmp_path / "m.safetensors",
        "sdxl",
        scale="tiny",
        components=["unet"],
        variant="inpaint",
        dtype="bf16",
    )
    store = open_store(path)
    answer = recognise(store.specs)
    assert answer
    assert answer.variant == "inpaint"
    assert {spec.dtype for spec in store.specs.values()} == {"BF16"}


def test_wrong_words_are_named(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no layout 'single'"):
        random_model(tmp_path / "m", "sd1", "single")
    with pytest.raises(FamilyError, match="no variant 'inpant'"):
        random_model(tmp_path / "m", "sd1", variant="inpant")


@pytest.mark.parametrize("name", ["sdxl", "sdxl-refiner"])
def test_a_folder_is_a_pipeline(tmp_path: Path, name: str) -> None:
    from diffusers.pipelines.pipeline_utils import DiffusionPipeline

    folder = random_model(tmp_path / "m", name, "diffusers", scale="tiny")
    pipeline: Any = DiffusionPipeline.from_pretrained(folder, local_files_only=True)
    assert type(pipeline).__name__ == FAMILIES.get(name).pipeline
    state = pipeline.unet.state_dict()
    key = "mid_block.attentions.0.proj_in.weight"
    spec = random_specs(FAMILIES.get(name), scale="tiny")[f"unet.{key}"]
    assert torch.equal(state[key].half(), random_tensor(f"unet.{key}", spec, 0))
