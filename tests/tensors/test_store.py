from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from safetensors.torch import load_file, save_file

from sdmerge.errors import CorruptFile, FileError, SdmergeError
from sdmerge.tensors.dtypes import TORCH
from sdmerge.tensors.safetensors_store import SafetensorsStore
from sdmerge.tensors.spec import TensorSpec
from sdmerge.tensors.store import TensorStore, open_component, open_store

from .make import EVERY_DTYPE, ODD_SHAPES, names_in, random_tensors, same_bits, save

SPECS = {**EVERY_DTYPE, **ODD_SHAPES}
ONE = {"a": TensorSpec("F16", (2, 3))}


def test_reads_what_safetensors_writes(tmp_path: Path) -> None:
    flat = random_tensors(SPECS)
    tensors = {name: flat[name].view(spec.shape) for name, spec in SPECS.items()}
    save_file(tensors, tmp_path / "x.safetensors", {"format": "pt"})
    store = open_store(tmp_path / "x.safetensors")
    assert dict(store.specs) == SPECS
    assert store.metadata == {"format": "pt"}
    assert store.files == (store.path,) == (tmp_path / "x.safetensors",)
    for name, tensor in load_file(tmp_path / "x.safetensors").items():
        assert same_bits(store.read(name), tensor), name
        assert store.read(name).dim() == 1


@settings(
    max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(name=st.sampled_from(sorted(SPECS)), data=st.data())
def test_any_slice(tmp_path: Path, name: str, data: st.DataObject) -> None:
    path = tmp_path / "x.safetensors"
    if not path.exists():
        save(path, SPECS)
    start = data.draw(st.integers(0, SPECS[name].numel))
    stop = data.draw(st.integers(start, SPECS[name].numel))
    store = SafetensorsStore(path)
    assert same_bits(store.read(name, start, stop), store.read(name)[start:stop])
    store.close()


def test_many_threads_read_at_once(tmp_path: Path) -> None:
    tensors = save(tmp_path / "x.safetensors", SPECS)
    store = open_store(tmp_path / "x.safetensors")
    with ThreadPoolExecutor(8) as pool:
        names = list(SPECS) * 20
        assert all(
            same_bits(flat, tensors[name])
            for name, flat in zip(names, pool.map(store.read, names), strict=True)
        )


def test_what_is_read_is_the_readers_own(tmp_path: Path) -> None:
    save(tmp_path / "x.safetensors", ONE)
    store = open_store(tmp_path / "x.safetensors")
    before = store.read("a")
    store.read("a").zero_()
    assert same_bits(store.read("a"), before)


def test_a_closed_store(tmp_path: Path) -> None:
    save(tmp_path / "x.safetensors", ONE)
    store = open_store(tmp_path / "x.safetensors")
    store.close()
    store.close()
    with pytest.raises(SdmergeError, match="after it was closed"):
        store.read("a")


@pytest.mark.skipif(not Path("/proc/self/fd").exists(), reason="counts open files in /proc")
def test_no_file_stays_open(tmp_path: Path) -> None:
    save(tmp_path / "x.safetensors", ONE)
    (tmp_path / "broken.safetensors").write_bytes(b"broken")
    before = len(names_in(Path("/proc/self/fd")))
    open_store(tmp_path / "x.safetensors")
    with pytest.raises(CorruptFile):
        open_store(tmp_path / "broken.safetensors")
    assert len(names_in(Path("/proc/self/fd"))) == before


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("none.safetensors", "does not exist"),
        ("none.ckpt", "does not exist"),
        ("x.gguf", r"not a kind of model file(.|\n)*\.safetensors"),
        (".", "is a folder"),
    ],
)
def test_what_cannot_be_opened(tmp_path: Path, name: str, message: str) -> None:
    (tmp_path / "x.gguf").write_bytes(b"GGUF")
    with pytest.raises(FileError, match=message):
        open_store(tmp_path / name)


def test_a_safetensors_file_under_another_name_needs_no_permission(tmp_path: Path) -> None:
    tensors = save(tmp_path / "x.ckpt", ONE)
    assert same_bits(open_store(tmp_path / "x.ckpt").read("a"), tensors["a"])


def holds(store: TensorStore | None, name: str) -> bool:
    return store is not None and store.path.name == name and list(store.specs) == ["a"]


@pytest.mark.parametrize("stem", ["diffusion_pytorch_model", "model"])
def test_components(tmp_path: Path, stem: str) -> None:
    assert open_component(tmp_path) is None
    assert open_component(tmp_path / "none") is None
    (tmp_path / "config.json").write_text("{}")
    save(tmp_path / f"{stem}.fp16.safetensors", ONE)
    assert holds(open_component(tmp_path), f"{stem}.fp16.safetensors")
    save(tmp_path / f"{stem}.non_ema.safetensors", ONE)
    with pytest.raises(FileError, match="several variants"):
        open_component(tmp_path)
    assert holds(open_component(tmp_path, variant="non_ema"), f"{stem}.non_ema.safetensors")
    assert open_component(tmp_path, variant="bf16") is None
    save(tmp_path / f"{stem}.safetensors", ONE)
    assert holds(open_component(tmp_path), f"{stem}.safetensors")


@pytest.mark.parametrize("middle", ["", ".fp16"])
def test_sharded_components(tmp_path: Path, middle: str) -> None:
    save(tmp_path / f"model{middle}-00001-of-00001.safetensors", ONE)
    index = f"model.safetensors.index{middle}.json"
    weights = f'{{"weight_map": {{"a": "model{middle}-00001-of-00001.safetensors"}}}}'
    (tmp_path / index).write_text(weights)
    assert holds(open_component(tmp_path), index)


@pytest.mark.parametrize("stem", ["diffusion_pytorch_model", "model", "pytorch_model"])
def test_pickled_components(tmp_path: Path, stem: str) -> None:
    torch.save({"a": torch.zeros(2, 3, dtype=TORCH["F16"])}, tmp_path / f"{stem}.bin")
    with pytest.raises(FileError, match="--allow-pickle"):
        open_component(tmp_path)
    assert holds(open_component(tmp_path, allow_pickle=True), f"{stem}.bin")
    save(tmp_path / "model.safetensors", ONE)
    if stem != "diffusion_pytorch_model":
        assert holds(open_component(tmp_path), "model.safetensors")
