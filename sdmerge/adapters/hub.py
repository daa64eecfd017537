"""Models on the hub: an id becomes a local folder, downloaded once."""

from __future__ import annotations

from pathlib import Path

_WANTED = (".json", ".txt", ".model", ".safetensors")
_PATIENCE = 10.0


def from_hub(repo: str) -> Path | None:
    """The local snapshot of the hub's `repo`; None if there is none or the hub is out of reach.

    Of a pipeline only the folders are fetched, not the single files that often lie beside them.
    """
    from huggingface_hub import (
        HfApi,
        errors,
        snapshot_download,  # pyright: ignore[reportUnknownVariableType]
    )

    try:
        return Path(snapshot_download(repo, local_files_only=True))
    except (errors.LocalEntryNotFoundError, errors.HFValidationError):
        pass
    # what the hub's HTTP library raises where there is no network, whichever library that is
    unreachable: type[Exception] = getattr(errors, "HTTPError", OSError)
    try:
        # asked once: listing the files would try again for half a minute, and most often it is
        # only a mistyped path
        siblings = HfApi().model_info(repo, timeout=_PATIENCE).siblings or []
        files = [one.rfilename for one in siblings]
        return Path(snapshot_download(repo, allow_patterns=wanted_files(files)))
    except (unreachable, errors.LocalEntryNotFoundError, errors.HFValidationError, OSError):
        return None


def file_from_hub(repo: str, name: str) -> Path | None:
    """One file of the hub's `repo`; None if there is none or the hub is out of reach."""
    from huggingface_hub import (
        errors,
        hf_hub_download,  # pyright: ignore[reportUnknownVariableType]
    )

    try:
        return Path(hf_hub_download(repo, name, local_files_only=True))
    except (errors.LocalEntryNotFoundError, errors.HFValidationError):
        pass
    unreachable: type[Exception] = getattr(errors, "HTTPError", OSError)
    try:
        return Path(hf_hub_download(repo, name, etag_timeout=_PATIENCE))
    except (unreachable, errors.LocalEntryNotFoundError, errors.HFValidationError, OSError):
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
