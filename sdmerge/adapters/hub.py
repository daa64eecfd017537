"""Models on the hub: an id becomes a local folder, downloaded once."""

from __future__ import annotations

from pathlib import Path

_WANTED = (".json", ".txt", ".model", ".safetensors")
PICKLES = (".bin", ".pt", ".pth", ".ckpt")
_PATIENCE = 10.0


def from_hub(repo: str, more: tuple[str, ...] = ()) -> Path | None:
    """The local snapshot of the hub's `repo`; None if there is none or the hub is out of reach.

    Of a pipeline only the folders are fetched, not the single files that often lie beside them.
    `more` are endings of other files that are wanted: then the hub is asked first, because what
    lies here may have been fetched without them.
    """
    if more:
        return _fetched(repo, more) or _kept(repo)
    return _kept(repo) or _fetched(repo, more)


def _kept(repo: str) -> Path | None:
    """What was downloaded before."""
    from huggingface_hub import (
        errors,
        snapshot_download,  # pyright: ignore[reportUnknownVariableType]
    )

    try:
        return Path(snapshot_download(repo, local_files_only=True))
    except (errors.LocalEntryNotFoundError, errors.HFValidationError):
        return None


def _fetched(repo: str, more: tuple[str, ...]) -> Path | None:
    """The snapshot as the hub has it now."""
    from huggingface_hub import (
        HfApi,
        errors,
        snapshot_download,  # pyright: ignore[reportUnknownVariableType]
    )

    # what the hub's HTTP library raises where there is no network, whichever library that is
    unreachable: type[Exception] = getattr(errors, "HTTPError", OSError)
    try:
        # asked once: listing the files would try again for half a minute, and most often it is
        # only a mistyped path
        siblings = HfApi().model_info(repo, timeout=_PATIENCE).siblings or []
        files = [one.rfilename for one in siblings]
        return Path(snapshot_download(repo, allow_patterns=wanted_files(files, more)))
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


def wanted_files(files: list[str], more: tuple[str, ...] = ()) -> list[str]:
    """The files of a repository that a merge reads, and those with other endings in `more`.

    Pickles are among these only where there is nothing better.
    """
    safe = any(name.endswith(".safetensors") for name in files)
    also = tuple(ending for ending in more if not (safe and ending in PICKLES))
    chosen = [name for name in files if name.endswith((*_WANTED, *also))]
    if "model_index.json" not in files:
        return chosen
    inside = [name for name in chosen if "/" in name]
    plain = {name for name in inside if name.endswith(".safetensors") and ".fp16." not in name}
    full = {name.rsplit("/", 1)[0] for name in plain}
    kept = [name for name in inside if ".fp16." not in name or name.rsplit("/", 1)[0] not in full]
    return ["model_index.json", *kept]
