"""Masks against splitmix64 written with Python's whole numbers, which know nothing of wrapping."""

from __future__ import annotations

import hashlib
import math
from itertools import combinations

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from sdmerge.masks import Random, stream_key, uniform_bits

GOLDEN = 0x9E3779B97F4A7C15
WORD = (1 << 64) - 1

streams = st.integers(0, WORD)


def mix(z: int) -> int:
    """The output function of Steele, Lea and Flood, 2014."""
    z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9 & WORD
    z = (z ^ (z >> 27)) * 0x94D049BB133111EB & WORD
    return z ^ (z >> 31)


def bits(stream: int, index: int) -> int:
    return mix((stream + index * GOLDEN) & WORD) >> 32


def test_the_reference_is_splitmix64() -> None:
    # the first outputs for the seed 1234567, as published with the C implementation's ports
    wanted = [6457827717110365317, 3203168211198807973, 9817491932198370423,
              4593380528125082431, 16408922859458223821]  # fmt: skip
    assert [mix((1234567 + step * GOLDEN) & WORD) for step in range(1, 6)] == wanted


@given(streams, st.integers(0, 2**40), st.integers(1, 40))
def test_bits_are_those_of_the_reference(stream: int, start: int, count: int) -> None:
    found = uniform_bits(stream, start, start + count)
    assert found.tolist() == [bits(stream, index) for index in range(start, start + count)]


def test_stream_keys_never_change() -> None:
    """Files made with earlier versions are re-made from them."""
    text = "7\0unet.conv_in.weight\0ja"
    digest = hashlib.blake2b(text.encode(), digest_size=8).digest()
    key = stream_key(7, "unet.conv_in.weight", "ja")
    assert key == int.from_bytes(digest, "little") == 15373850525754770808
    assert uniform_bits(key, 0, 3).tolist() == [1654767422, 2190217879, 3963270336]


@given(streams, st.integers(0, 3000), st.integers(0, 3000), st.floats(0, 1))
def test_the_mask_of_a_slice_is_the_slice_of_the_mask(
    stream: int, one: int, other: int, chance: float
) -> None:
    start, stop = sorted((one, other))
    whole = Random([stream], 0, 3000).keep(chance)
    assert torch.equal(Random([stream], start, stop).keep(chance), whole[:, start:stop])


def test_streams_of_other_seeds_keys_and_aliases_are_unrelated() -> None:
    asked = [(seed, key, alias) for seed in (0, 1) for key in ("a", "b") for alias in ("a", "b")]
    rows = [uniform_bits(stream_key(*one), 0, 20_000) < 2**31 for one in asked]
    for first, second in combinations(rows, 2):
        # unrelated masks agree on half of the elements; 0.025 is seven standard deviations
        assert abs(float(np.mean(first == second)) - 0.5) < 0.025


def test_names_do_not_run_together() -> None:
    assert stream_key(1, "ab", "c") != stream_key(1, "a", "bc")
    assert stream_key(1, "1a", "c") != stream_key(11, "a", "c")


@pytest.mark.parametrize("chance", [0.0, 0.1, 0.5, 0.9, 1.0])
def test_as_many_are_kept_as_asked(chance: float) -> None:
    count = 200_000
    kept = float(Random([stream_key(3, "k", "a")], 0, count).keep(chance).float().mean())
    assert abs(kept - chance) <= 5 * math.sqrt(chance * (1 - chance) / count)


def test_each_input_has_a_chance_of_its_own() -> None:
    keys = [stream_key(0, "k", name) for name in "abc"]
    mask = Random(keys, 0, 5000).keep(torch.tensor([[0.0], [0.5], [1.0]]))
    assert [bool(row.any()) for row in mask] == [False, True, True]
    assert [bool(row.all()) for row in mask] == [False, False, True]


@given(streams, streams, st.integers(0, 2**32), st.integers(0, 24), st.integers(0, 24))
def test_each_element_has_a_chance_of_its_own(
    one: int, other: int, seed: int, left: int, right: int
) -> None:
    start, stop = sorted((left, right))
    chances = torch.rand(
        2, 24, generator=torch.Generator().manual_seed(seed), dtype=torch.float64
    ).round(decimals=1)
    whole = Random([one, other], 0, 24).keep(chances)
    wanted = [
        [bits(stream, place) < round(chance * 2**32) for place, chance in enumerate(row)]
        for stream, row in zip((one, other), chances.tolist(), strict=True)
    ]
    assert whole.tolist() == wanted
    part = Random([one, other], start, stop).keep(chances[:, start:stop])
    assert torch.equal(part, whole[:, start:stop])
    shaped = Random([one, other], 0, 24, (4, 6)).keep(chances.reshape(2, 4, 6))
    assert torch.equal(shaped, whole.reshape(2, 4, 6))


def test_a_higher_chance_keeps_what_a_lower_one_kept() -> None:
    random = Random([5], 0, 5000)
    assert not (random.keep(0.3) & ~random.keep(0.4)).any()


def test_a_whole_tensor_has_its_shape() -> None:
    mask = Random([1, 2], 0, 24, (2, 3, 4)).keep(0.5)
    assert mask.shape == (2, 2, 3, 4)
    assert torch.equal(mask.reshape(2, 24), Random([1, 2], 0, 24).keep(0.5))
