"""What trainers write into a LoRA's header that its users need: the base, words, tags."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping
from typing import cast

_NAMES = {
    "base": ("ss_base_model_version", "modelspec.architecture"),
    "trained on": ("ss_sd_model_name",),
    "title": ("modelspec.title", "ss_output_name"),
    "trigger words": ("modelspec.trigger_phrase", "trigger_word", "activation text"),
    "network": ("ss_network_module",),
    "resolution": ("modelspec.resolution", "ss_resolution"),
    "prediction": ("modelspec.prediction_type",),
}
_TAGS = "ss_tag_frequency"
_MOST_TAGS = 12


def told(metadata: Mapping[str, str]) -> dict[str, str]:
    """The entries of use, by a word for each."""
    found: dict[str, str] = {}
    for word, names in _NAMES.items():
        for name in names:
            if metadata.get(name, "None") not in ("None", ""):
                found.setdefault(word, metadata[name])
    return found


def tags(metadata: Mapping[str, str]) -> dict[str, int]:
    """The captions' most frequent tags over all of the trainer's folders, with their counts."""
    try:
        folders: object = json.loads(metadata.get(_TAGS, "{}"))
    except ValueError:
        return {}
    counts: Counter[str] = Counter()
    for group in cast("dict[str, object]", folders).values() if isinstance(folders, dict) else ():
        if isinstance(group, dict):
            for tag, count in cast("dict[str, object]", group).items():
                counts[tag.strip()] += count if isinstance(count, int) else 0
    return dict(counts.most_common(_MOST_TAGS))
