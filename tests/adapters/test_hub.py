"""Hub ids: what lies in the cache is found, and a hub out of reach is no bug of ours."""

from __future__ import annotations

from pathlib import Path

import pytest

from sdmerge.adapters.hub import file_from_hub, from_hub, wanted_files


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty cache, as huggingface_hub keeps it."""
    from huggingface_hub import constants

    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path))
    return tmp_path


def test_what_was_downloaded_is_found(cache: Path) -> None:
    snapshot = cache / "models--some--model" / "snapshots" / ("0" * 40)
    snapshot.mkdir(parents=True)
    (snapshot / "model_index.json").write_text("{}")
    refs = cache / "models--some--model" / "refs"
    refs.mkdir()
    (refs / "main").write_text("0" * 40)
    assert from_hub("some/model") == snapshot
    assert from_hub("some/model", (".py",)) == snapshot, "the hub is asked first, and is not there"
    (snapshot / "weights.pt").write_bytes(b"x")
    assert file_from_hub("some/model", "weights.pt") == snapshot / "weights.pt"
    assert file_from_hub("some/model", "other.pt") is None


@pytest.mark.parametrize("offline", [True, False])
@pytest.mark.parametrize("repo", ["models/typo", "models/typo.safetensors", "a--b/c..d"])
def test_no_hub_no_model(
    cache: Path, monkeypatch: pytest.MonkeyPatch, offline: bool, repo: str
) -> None:
    """A mistyped path may look like an id, and most machines that merge have no hub to ask."""
    from huggingface_hub import constants

    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", offline)
    monkeypatch.setattr(constants, "ENDPOINT", "http://127.0.0.1:9")  # nobody listens there
    assert from_hub(repo) is None
    assert list(cache.glob("models--*/snapshots/*")) == []


def test_of_a_pipeline_only_its_folders_are_fetched() -> None:
    files = [
        "model_index.json", "README.md", "v1-5-pruned.ckpt", "v1-5-pruned.safetensors",
        "unet/config.json", "unet/diffusion_pytorch_model.safetensors",
        "unet/diffusion_pytorch_model.fp16.safetensors", "unet/diffusion_pytorch_model.bin",
        "vae/diffusion_pytorch_model.fp16.safetensors", "tokenizer/vocab.json",
    ]  # fmt: skip
    assert wanted_files(files) == [
        "model_index.json",
        "unet/config.json",
        "unet/diffusion_pytorch_model.safetensors",
        "vae/diffusion_pytorch_model.fp16.safetensors",
        "tokenizer/vocab.json",
    ]


def test_of_anything_else_what_can_be_read() -> None:
    files = ["config.json", "model.safetensors", "pytorch_model.bin", "logo.png", "tokenizer.model"]
    assert wanted_files(files) == ["config.json", "model.safetensors", "tokenizer.model"]


def test_scorers_want_more() -> None:
    files = ["config.json", "modeling.py", "pytorch_model.bin", "logo.png"]
    assert wanted_files(files, (".py",)) == ["config.json", "modeling.py"]
    assert wanted_files(files, (".py", ".bin")) == files[:3]
    safe = [*files, "model.safetensors"]
    assert wanted_files(safe, (".py", ".bin")) == [
        "config.json",
        "modeling.py",
        "model.safetensors",
    ]
