"""How tensors are spread over several files, as diffusers and transformers do it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass

from sdmerge.tensors.space import parse_size


@dataclass(frozen=True, slots=True)
class Shards:
    """Which tensors go into which file; `index` is None where one file takes them all."""

    files: Mapping[str, tuple[str, ...]]
    index_name: str
    index: bytes | None


def split_into_shards(sizes: Mapping[str, int], stem: str, max_size: int | str) -> Shards:
    """Files "STEM-00001-of-00003.safetensors" of at most `max_size`, in the mapping's order.

    sizes: Bytes of each tensor.
    max_size: Bytes, or words like "5GB". A tensor larger than that gets a file of its own.
    """
    limit = parse_size(max_size)
    index_name = f"{stem}.safetensors.index.json"
    if sum(sizes.values()) <= limit:
        return Shards({f"{stem}.safetensors": tuple(sizes)}, index_name, None)
    # Imported late: a single file needs nothing of the hub.
    from huggingface_hub import (
        split_state_dict_into_shards_factory,  # pyright: ignore[reportUnknownVariableType]
    )

    split = split_state_dict_into_shards_factory(
        dict(sizes),
        get_storage_size=int,
        filename_pattern=stem + "{suffix}.safetensors",
        max_shard_size=limit,
    )
    files = {name: tuple(keys) for name, keys in split.filename_to_tensors.items()}
    if len(files) == 1:
        return Shards(files, index_name, None)
    table = {"metadata": split.metadata, "weight_map": split.tensor_to_filename}
    text = json.dumps(table, indent=2, sort_keys=True, ensure_ascii=False) + "\n"
    return Shards(files, index_name, text.encode("utf-8"))
