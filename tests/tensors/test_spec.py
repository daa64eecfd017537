from __future__ import annotations

import subprocess
import sys

import pytest
import torch

from sdmerge.errors import FileError, InputError, SdmergeError
from sdmerge.tensors.dtypes import TORCH, as_bytes, code_of
from sdmerge.tensors.spec import DTYPE_NAMES, ITEMSIZE, TensorSpec, element_range, parse_dtype

from .make import random_flat


@pytest.mark.parametrize(
    ("spec", "numel", "nbytes"),
    [
        (TensorSpec("F16", (2, 3)), 6, 12),
        (TensorSpec("F32", ()), 1, 4),
        (TensorSpec("C64", (4, 0)), 0, 0),
    ],
)
def test_sizes(spec: TensorSpec, numel: int, nbytes: int) -> None:
    assert (spec.numel, spec.nbytes) == (numel, nbytes)


def test_only_numbers_that_can_be_averaged_are_float() -> None:
    floats = {code for code in ITEMSIZE if TensorSpec(code, ()).is_float}
    assert floats == {code for code in TORCH if TORCH[code].is_floating_point} - {"F8_E8M0"}


def test_item_sizes_are_those_of_torch() -> None:
    assert {code: dtype.itemsize for code, dtype in TORCH.items()} == ITEMSIZE


@pytest.mark.parametrize("word", [*DTYPE_NAMES, "FP16", " bf16 ", "torch.float16", "F8_E4M3"])
def test_words_for_dtypes(word: str) -> None:
    assert TensorSpec(parse_dtype(word), ()).is_float


def test_torch_names_mean_the_same_dtype() -> None:
    assert all(code_of(getattr(torch, f"float{bits}")) == f"F{bits}" for bits in (16, 32, 64))
    for code in ("BF16", "F8_E4M3", "F8_E5M2", "F8_E4M3FNUZ", "F8_E5M2FNUZ"):
        assert parse_dtype(str(TORCH[code])) == code


@pytest.mark.parametrize("word", ["int8", "", "flaot16", "F8_E8M0", "fp8"])
def test_no_words_for_dtypes(word: str) -> None:
    with pytest.raises(InputError, match="not a dtype") as caught:
        parse_dtype(word)
    assert caught.value.hint


def test_a_near_miss_gets_the_right_word() -> None:
    with pytest.raises(InputError, match="'bfloat16'"):
        parse_dtype("bflot16")


def test_code_of_what_safetensors_does_not_know() -> None:
    with pytest.raises(SdmergeError, match="complex128"):
        code_of(torch.complex128)


@pytest.mark.parametrize("code", ITEMSIZE)
def test_as_bytes_shares_memory(code: str) -> None:
    flat = random_flat(TensorSpec(code, (7,)))
    view = as_bytes(flat)
    assert view.nbytes == 7 * ITEMSIZE[code]
    view[:] = bytes(view.nbytes)
    assert bytes(as_bytes(flat.clone())) == bytes(view.nbytes)


def test_element_range() -> None:
    specs = {"unet.weight": TensorSpec("F16", (2, 3))}
    assert element_range(specs, "unet.weight", 1, None, "x") == (1, 6)
    with pytest.raises(SdmergeError, match="it has 6"):
        element_range(specs, "unet.weight", 0, 7, "x")
    with pytest.raises(SdmergeError, match="elements 4 to 3"):
        element_range(specs, "unet.weight", 4, 3, "x")
    with pytest.raises(FileError, match=r"unet\.weigth(.|\n)*'unet\.weight'"):
        element_range(specs, "unet.weigth", 0, None, "x")


def test_headers_are_read_without_torch() -> None:
    code = (
        "import sys, sdmerge.tensors.spec, sdmerge.tensors.header;"
        "sys.exit('torch' in sys.modules or 'numpy' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
