"""The same merge, the same bytes: on any number of threads, in any slabs, from any kind of file."""

from __future__ import annotations

import hashlib
import itertools
import json
from collections.abc import Iterable, Mapping
from pathlib import Path

import pytest
import torch
from tiny import (
    Data,
    canonical,
    cli,
    copy,
    listing,
    load,
    merged,
    metadata,
    model,
    planned,
    recipe,
    same,
    save,
    words,
)  # fmt: skip

from sdmerge.merge import run
from sdmerge.sinks import FileSink
from sdmerge.sinks.provenance import HASH_SLOT

METHODS: Mapping[str, Data] = {
    "linear": {"weight": 0.3},
    "slerp": {"t": 0.3},
    "task_arithmetic": {"weight": 0.7, "lambda": 1.1},
    "ties": {"weight": 0.7, "density": 0.4},
    "dare_linear": {"weight": 0.7, "density": 0.4},
    "dare_ties": {"weight": 0.7, "density": 0.4},
}
ORDER_FREE = [name for name in METHODS if name != "slerp"]


def data(method: str, models: list[Path]) -> Data:
    """A recipe with the first model for base, where the method has one."""
    first, *rest = models
    found: Data = {"merge_method": method, "parameters": METHODS[method], "seed": 7}
    if method in ("linear", "slerp"):
        rest = models[:2]
    else:
        found["base_model"] = str(first)
    names = [{"model": str(path), "name": f"m{place}"} for place, path in enumerate(rest)]
    return {**found, "models": names}


@pytest.fixture(scope="module")
def encoders() -> list[Path]:
    """Three files whose largest tensor takes several slabs of any size that is tried."""
    found = [words(seed) for seed in (0, 1, 2)]
    largest = max(tensor.numel() for tensor in load(found[0]).values())
    assert largest > 1 << 18
    assert largest % 4096 or largest % 65537
    return found


@pytest.mark.parametrize("method", METHODS)
def test_threads_and_slabs(encoders: list[Path], method: str) -> None:
    plan = planned(data(method, encoders))
    expected = merged(plan, threads=1)
    assert not same(expected, {key: value.half() for key, value in canonical(encoders[0]).items()})
    assert same(merged(plan, threads=2), expected)
    assert same(merged(plan, threads=4, slab=4096), expected)
    assert same(merged(plan, threads=2, slab=65537), expected)


@pytest.mark.parametrize("method", ORDER_FREE)
def test_order_of_the_models(encoders: list[Path], method: str) -> None:
    one = data(method, encoders)
    weights = {"m0": 0.5, "m1": 0.9}

    def weighted(names: Iterable[str], weights: Mapping[str, float]) -> dict[str, torch.Tensor]:
        by_name = {entry["name"]: entry for entry in one["models"]}
        models = [{**by_name[n], "parameters": {"weight": weights[n]}} for n in names]
        return merged({**one, "models": models})

    there, back = (weighted(names, weights) for names in itertools.permutations(weights))
    assert same(there, back)
    assert not same(there, weighted(weights, {"m0": 0.9, "m1": 0.5}))


def sharded(folder: Path, to: Path) -> Path:
    """A diffusers folder, its components in several files each."""
    copy(folder, to)
    for file in sorted(to.rglob("*.safetensors")):
        tensors = load(file)
        shards: list[dict[str, torch.Tensor]] = [{}, {}, {}]
        for place, name in enumerate(tensors):
            shards[place % 3][name] = tensors[name]
        names = [f"{file.stem}-{n:05d}-of-00003.safetensors" for n in (1, 2, 3)]
        for name, shard in zip(names, shards, strict=True):
            save(file.with_name(name), shard)
        where = {key: name for name, shard in zip(names, shards, strict=True) for key in shard}
        index = {"metadata": {}, "weight_map": where}
        file.with_name(f"{file.name}.index.json").write_text(json.dumps(index))
        file.unlink()
    return to


def tensor_hash(*arguments: object) -> str:
    said = cli(*arguments, "--json")
    assert said.code == 0, said.err
    return said.data["tensor_hash"]


def test_layout_of_the_inputs(tmp_path: Path) -> None:
    """Single files, folders, shards and mixtures of them, of a model with a fused attention."""
    both = ("text_encoder", "text_encoder_2")
    files = [model("sdxl", seed, components=both) for seed in (1, 2)]
    folders = [model("sdxl", seed, "diffusers", components=both) for seed in (1, 2)]
    shards = [sharded(folder, tmp_path / f"s{n}") for n, folder in enumerate(folders)]
    hashes = {
        tensor_hash(
            "merge", first, second, "--base", first, "--method", "ties", "--density", "0.5",
            "-o", tmp_path / f"{number}.safetensors",
        )
        for number, (first, second) in enumerate(
            [files, folders, shards, [files[0], shards[1]], [folders[0], files[1]]]
        )
    }  # fmt: skip
    assert len(hashes) == 1


def test_layout_of_the_output(tmp_path: Path) -> None:
    some = ("vae", "text_encoder", "text_encoder_2")
    two = [model("sdxl", seed, components=some) for seed in (1, 2)]
    outs = [tmp_path / "x.safetensors", tmp_path / "folder", tmp_path / "shards"]
    for out in outs:
        size = "200kB" if out.name == "shards" else "10GB"
        said = cli("merge", *two, "--method", "slerp", "-o", out, "--max-shard-size", size)
        assert said.code == 0, said.err
    assert len(list(outs[2].rglob("*-of-*.safetensors"))) > 6
    first, *others = [canonical(out) for out in outs]
    assert all(same(first, other) for other in others)


def digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


@pytest.mark.parametrize("out", ["x.safetensors", "folder"])
def test_two_runs_write_the_same_files(tmp_path: Path, out: str) -> None:
    folder = model("sd1", 1, "diffusers", components=("text_encoder",))
    text = f"""
merge_method: dare_ties
base_model: {words(0)}
models: [{{model: {folder}}}, {{model: {words(2)}}}]
seed: 3
"""
    path = recipe(tmp_path / "r.yaml", text)
    written: list[dict[str, str]] = []
    for folder, threads in (("one", 1), ("two", 2)):
        said = cli("merge", path, "-o", tmp_path / folder / out, "--threads", threads)
        assert said.code == 0, said.err
        place = tmp_path / folder
        files = [name for name in listing(place) if (place / name).is_file()]
        written.append({name: digest(place / name) for name in files})
    assert written[0] == written[1]


def test_the_identity_is_the_hash_of_the_tensors(tmp_path: Path) -> None:
    out = tmp_path / "x.safetensors"
    given = tensor_hash("merge", words(1), words(2), "--method", "linear", "-o", out)
    raw = out.read_bytes()
    start = 8 + int.from_bytes(raw[:8], "little")
    assert given == hashlib.sha256(raw[start:]).hexdigest()
    assert metadata(out)[HASH_SLOT] == f"0x{given}"


def test_another_seed_another_mask(encoders: list[Path]) -> None:
    one = data("dare_linear", encoders)
    assert same(merged({**one, "seed": 1}), merged({**one, "seed": 1}))
    assert not same(merged({**one, "seed": 1}), merged({**one, "seed": 2}))
    fixed = data("ties", encoders)
    assert same(merged({**fixed, "seed": 1}), merged({**fixed, "seed": 2}))


@pytest.mark.parametrize("how", ["recipe", "absolute", "relative"])
@pytest.mark.parametrize("out", ["out/x.safetensors", "out/folder"])
def test_no_absolute_path_is_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, how: str, out: str
) -> None:
    """Where somebody keeps models is nobody's business, and no part of the result."""
    copy(words(1), tmp_path / "in" / "a.safetensors")
    copy(words(2), tmp_path / "in" / "b.safetensors")
    monkeypatch.chdir(tmp_path)
    head = f"{tmp_path}/" if how == "absolute" else ""
    if how == "recipe":
        text = f"""
merge_method: linear
models: [{{model: {tmp_path}/in/a.safetensors}}]
components: {{text_encoder: {{take: {tmp_path}/in/b.safetensors}}}}
"""
        arguments = [recipe(tmp_path / "r.yaml", text)]
    else:
        arguments = [f"{head}in/a.safetensors", f"{head}in/b.safetensors", "--method", "linear"]
    assert cli("merge", *arguments, "-o", out).code == 0
    path = tmp_path / out
    said = json.dumps(metadata(path)) if path.is_file() else (path / "sdmerge.json").read_text()
    for secret in (str(tmp_path), str(Path.home()), str(Path.cwd())):
        assert secret == "/" or secret not in said
    assert "in/a.safetensors" in said
    assert cli("verify", path, "-q").out == "same\n"


def test_a_file_in_another_folder_is_the_same_file(tmp_path: Path) -> None:
    """Only where the inputs lie as seen from it changes, and that tells nothing of the disk."""
    plan = planned(data("linear", [words(1), words(2)]))
    outs = [tmp_path / name / "x.safetensors" for name in ("one", "two")]
    for out in outs:
        run(plan, FileSink(out))
    assert digest(outs[0]) == digest(outs[1])


def test_show_prints_the_recipe_back(tmp_path: Path) -> None:
    text = "merge_method: slerp\nmodels: [{model: a.safetensors}, {model: b.safetensors}]\n"
    copy(words(1), tmp_path / "a.safetensors")
    copy(words(2), tmp_path / "b.safetensors")
    first, again = tmp_path / "x.safetensors", tmp_path / "again.safetensors"
    one = tensor_hash("merge", recipe(tmp_path / "r.yaml", text), "-o", first)
    said = cli("show", first)
    assert said.code == 0
    assert "written by sdmerge" in said.err
    two = tensor_hash("merge", recipe(tmp_path / "back.yaml", said.out), "-o", again)
    assert one == two
