"""Models on the hub: an id becomes a local folder, downloaded once."""

from __future__ import annotations

from pathlib import Path

_WANTED = (".json", ".txt", ".model", ".safetensors")


def from_hub(repo: str) -> Path | None:
    """The local snapshot of the hub's `repo`; None if there is none or the hub is out of reach.

    Of a pipeline only the folders are fetched, not the single files that often lie beside them.
    """
    from huggingface_hub import (
        HfApi,
        snapshot_download,  # pyright: ignore[reportUnknownVariableType]
    )
    from huggingface_hub.errors import HfHubHTTPError, HFValidationError, LocalEntryNotFoundError

    try:
        return Path(snapshot_download(repo, local_files_only=True))
    except (LocalEntryNotFoundError, HFValidationError):
        pass
    try:
        files = HfApi().list_repo_files(repo)
        return Path(snapshot_download(repo, allow_patterns=wanted_files(files)))
    except (HfHubHTTPError, LocalEntryNotFoundError, HFValidationError, OSError):
        return None


def wanted_files(files: list[str]) -> list[str]:
    """The files of a repository that a merge reads."""
    chosen = [name for name in files if name.endswith(_WANTED)]
    if "model_index.json" not in files:
        return chosen
    inside = [name for name in chosen if "/" in name]
    plain = {name for name in inside if name.endswith(".safetensors") and ".fp16." not in name}
    full = {name.rsplit("/", 1)[0] for name in plain}
    kept = [name for name in inside if ".fp16." not in name or name.rsplit("/", 1)[0] not in full]
    return ["model_index.json", *kept]
