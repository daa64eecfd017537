from __future__ import annotations

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sdmerge.errors import InputError
from sdmerge.tensors.shards import split_into_shards


def test_one_file_where_everything_fits() -> None:
    shards = split_into_shards({"a": 6, "b": 4}, "model", 10)
    assert shards.files == {"model.safetensors": ("a", "b")}
    assert shards.index is None
    assert split_into_shards({}, "model", 10).files == {"model.safetensors": ()}
    assert list(split_into_shards({"a": 11}, "model", 10).files) == ["model.safetensors"]


def test_several_files_and_their_index() -> None:
    shards = split_into_shards({"a": 6, "b": 6, "c": 20, "d": 2}, "model", 10)
    assert list(shards.files.values()) == [("a",), ("c",), ("b", "d")]
    assert next(iter(shards.files)) == "model-00001-of-00003.safetensors"
    assert shards.index_name == "model.safetensors.index.json"
    assert json.loads(shards.index or b"") == {
        "metadata": {"total_size": 34},
        "weight_map": {key: name for name, keys in shards.files.items() for key in keys},
    }


@settings(max_examples=50, deadline=None)
@given(st.dictionaries(st.text("abc", max_size=4), st.integers(0, 30)), st.integers(1, 40))
def test_every_tensor_is_in_one_file_that_is_small_enough(
    sizes: dict[str, int], limit: int
) -> None:
    shards = split_into_shards(sizes, "model", limit)
    assert sorted(key for keys in shards.files.values() for key in keys) == sorted(sizes)
    for keys in shards.files.values():
        assert len(keys) < 2 or sum(sizes[key] for key in keys) <= limit


@pytest.mark.parametrize("limit", ["100", "100B", "0.1KB", " 0.1 kb "])
def test_sizes_in_words(limit: str) -> None:
    assert len(split_into_shards({"a": 60, "b": 40}, "model", limit).files) == 1
    assert len(split_into_shards({"a": 60, "b": 41}, "model", limit).files) == 2


@pytest.mark.parametrize("limit", ["", "GB", "5 apples", 0, -1, "nanGB", "infGB", "B"])
def test_what_is_no_size(limit: int | str) -> None:
    with pytest.raises(InputError, match="is not a size"):
        split_into_shards({"a": 60}, "model", limit)
