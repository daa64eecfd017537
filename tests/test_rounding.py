"""Stochastic rounding: against the table of all numbers that a dtype has, and in a merge."""

from __future__ import annotations

import functools
import math

import numpy as np
import pytest
import torch
from tiny import cli, merged, metadata, planned, recipe, same, words
from torch import Tensor

from sdmerge.errors import PlanError
from sdmerge.masks import uniform_bits
from sdmerge.rounding import round_stochastically, rounding_stream
from sdmerge.storing import store

DTYPES = (
    torch.float16,
    torch.bfloat16,
    torch.float8_e4m3fn,
    torch.float8_e5m2,
    torch.float8_e4m3fnuz,
    torch.float8_e5m2fnuz,
)
STREAM = rounding_stream(7, "unet.conv_in.weight")


@functools.cache
def numbers(dtype: torch.dtype) -> np.ndarray:
    """Every finite number of the dtype, from the smallest to the largest, in float64."""
    bits = torch.finfo(dtype).bits
    patterns = torch.arange(2**bits, dtype=torch.int32)
    integers = patterns.to(torch.uint8) if bits == 8 else patterns.to(torch.int16)
    held = integers.view(dtype).double().numpy()
    return np.unique(held[np.isfinite(held)])


def rounded(values: Tensor, dtype: torch.dtype, start: int = 0, stream: int = STREAM) -> Tensor:
    out = torch.empty(len(values), dtype=dtype)
    round_stochastically(values, out, stream, start)
    return out


def drawn(dtype: torch.dtype, count: int = 20_000) -> Tensor:
    """Numbers of every magnitude the dtype has, and smaller ones, of both signs."""
    info, draw = torch.finfo(dtype), torch.Generator().manual_seed(3)
    low, high = max(-145.0, math.log2(info.smallest_normal) - 24), math.log2(info.max)
    exponents = low + (high - low) * torch.rand(count, generator=draw, dtype=torch.float64)
    signs = torch.randint(0, 2, (count,), generator=draw) * 2 - 1
    return (signs * exponents.exp2()).float()


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
def test_it_is_one_of_both_neighbours_as_the_bits_say(dtype: torch.dtype) -> None:
    """The larger magnitude where the share of the step and the random number reach 1."""
    values = drawn(dtype)
    magnitudes, held = values.double().abs().numpy(), numbers(dtype)
    above = np.searchsorted(held, magnitudes)  # the first that is not smaller
    high = held[np.minimum(above, len(held) - 1)]
    low = np.where(high == magnitudes, high, held[above - 1])
    share = np.divide(magnitudes - low, high - low, out=np.zeros_like(low), where=high > low)
    chance = uniform_bits(STREAM, 0, len(values)).astype(np.float64) / 2.0**32
    expected = np.where(share + chance >= 1, high, low) * np.sign(values.double().numpy())
    found = rounded(values, dtype).double().numpy()
    # a share below the last bit of the random number may fall on either side
    near = np.abs(share + chance - 1) < 2.0**-31
    assert near.mean() < 0.01
    np.testing.assert_array_equal(found[~near], expected[~near])
    assert (found != rounded(values, dtype, stream=STREAM + 1).double().numpy()).any()


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
def test_what_the_dtype_holds_stays(dtype: torch.dtype) -> None:
    held = torch.from_numpy(numbers(dtype)).float()
    held = held[held.double().abs() >= 2.0**-149]
    assert len(held) > 200
    for stream in range(5):
        assert torch.equal(rounded(held, dtype, stream=stream).float(), held)
    zeros = rounded(torch.tensor([0.0, -0.0]), dtype)
    assert zeros.float().tolist() == [0.0, 0.0]


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
def test_the_mean_is_kept(dtype: torch.dtype) -> None:
    info, count = torch.finfo(dtype), 1 << 16
    held = numbers(dtype)
    wanted = (1.0 + 0.3 * info.eps, -3.0 - 1.4 * info.eps, 0.77 * held[held > 0][0])
    for value in map(float, np.array(wanted, np.float32)):
        at = np.searchsorted(held, value)
        step = held[at] - held[at - 1]
        share = (value - held[at - 1]) / step
        mean = rounded(torch.full((count,), value), dtype).double().mean().item()
        deviation = step * math.sqrt(share * (1 - share) / count)
        assert abs(mean - value) < 5 * deviation
        nearest = torch.tensor(value).to(dtype).double().item()
        assert abs(mean - value) < abs(nearest - value) / 4


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
def test_nothing_becomes_larger_than_the_largest(dtype: torch.dtype) -> None:
    info = torch.finfo(dtype)
    below = numbers(dtype)[-2]
    top = torch.full((500,), info.max * (1 + info.eps / 8))
    for values in (top, -top, torch.full((500,), float(info.max + below) / 2)):
        out = torch.empty(500, dtype=dtype)
        store(values, out, "k", STREAM)
        assert out.double().abs().max() == info.max
        assert out.double().abs().min() >= below


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float8_e4m3fn], ids=str)
def test_a_slice_is_rounded_as_in_the_whole(dtype: torch.dtype) -> None:
    values = drawn(dtype, 1000)
    whole = rounded(values, dtype).view(torch.uint8)
    parts = [rounded(values[start : start + 37], dtype, start) for start in range(0, 1000, 37)]
    assert torch.equal(torch.cat([part.view(torch.uint8) for part in parts]), whole)


# in a merge

MERGE = {
    "merge_method": "linear",
    "models": [{"model": str(words(1))}, {"model": str(words(2))}],
    "dtype": "bfloat16",
    "seed": 4,
}
BY_CHANCE = {**MERGE, "output": {"rounding": "stochastic"}}


def test_a_merge_is_rounded_by_chance() -> None:
    """Within a step of the exact result; over a tensor the errors cancel."""
    exact, nearest = merged({**MERGE, "dtype": "float32"}), merged(MERGE)
    found = merged(BY_CHANCE)
    assert found.keys() == exact.keys()
    for key, wide in exact.items():
        far = (found[key].double() - wide.double()).abs()
        assert (far <= 2.0**-7 * wide.double().abs() + 2.0**-133).all(), key
    key = "text_encoder.embeddings.token_embedding.weight"
    assert not torch.equal(found[key], nearest[key])
    error = (found[key].double() - exact[key].double()).mean()
    step = 2.0**-8 * exact[key].double().abs().mean()
    assert error.abs() < 5 * step / math.sqrt(found[key].numel())


def test_the_bytes_depend_on_the_seed_and_on_nothing_else() -> None:
    found = merged(BY_CHANCE)
    assert same(found, merged(BY_CHANCE, slab=1000, threads=2))
    assert same(found, merged({**BY_CHANCE, "models": BY_CHANCE["models"][::-1]}))
    assert not same(found, merged({**BY_CHANCE, "seed": 5}))


def test_a_copy_in_a_narrower_dtype_is_rounded_too() -> None:
    one = {"merge_method": "linear", "models": [{"model": str(words(1))}], "dtype": "bfloat16"}
    by_chance = merged({**one, "output": {"rounding": "stochastic"}})
    assert not same(by_chance, merged(one))
    # float16 in float16 has nothing to round
    kept = {**one, "dtype": "float16"}
    assert same(merged({**kept, "output": {"rounding": "stochastic"}}), merged(kept))


def test_stages_between_stay_in_float32() -> None:
    first = {**MERGE, "name": "half"}
    del first["dtype"], first["seed"]
    second = {"merge_method": "linear", "models": [{"model": "half"}], "dtype": "bfloat16"}
    last = {**second, "output": {"rounding": "stochastic"}, "seed": 4}
    assert same(merged([first, last]), merged(BY_CHANCE))


def test_the_plan_and_the_key_say_it() -> None:
    key = "text_encoder.final_layer_norm.weight"
    keys = [
        planned(data).keys[key]
        for data in (MERGE, {**MERGE, "seed": 5}, BY_CHANCE, {**BY_CHANCE, "seed": 5})
    ]
    assert keys[0] == keys[1]
    assert len(set(keys)) == 3
    assert planned(BY_CHANCE).report.notes[-1] == "rounded to BF16 by chance (stochastic, seed 4)"
    wide = planned({**BY_CHANCE, "dtype": "float32"}).report.notes[-1]
    assert wide.startswith("rounding: stochastic changes nothing")
    assert not any("rounded" in note for note in planned(MERGE).report.notes)


def test_a_lora_is_not_rounded_by_chance() -> None:
    """Its factors are not what is merged: their errors would multiply."""
    with pytest.raises(PlanError, match="factors are rounded to the nearest"):
        planned({**MERGE, "output": {"layout": "lora", "rounding": "stochastic"}})


def test_by_the_command_line_and_verified(tmp_path) -> None:
    """`--rounding` is the recipe's key, the metadata have it, and `verify` rounds the same way."""
    path = recipe(tmp_path / "r.yaml", f"merge_method: linear\nmodels: [{{model: {words(1)}}}]\n")
    out = tmp_path / "x.safetensors"
    flags = ["--dtype", "bfloat16", "--rounding", "stochastic", "--seed", "9"]
    said = cli("merge", path, *flags, "-o", out)
    assert said.code == 0, said.err
    assert "rounded to BF16 by chance (stochastic, seed 9)" in said.out
    assert "rounding: stochastic" in metadata(out)["sdmerge.recipe"]
    assert cli("verify", out, "-q").out == "same\n"
    twin = cli("convert", words(1), "-o", tmp_path / "y.safetensors", *flags[:4])
    assert twin.code == 0, twin.err
