from __future__ import annotations

import torch

from sdmerge.families import KeyMap, Piece
from sdmerge.families.keymap import identity, union
from sdmerge.tensors.spec import TensorSpec
from sdmerge.testing import copy_by

from .headers import noise

FUSED = {"qkv": TensorSpec("F16", (6, 2)), "out": TensorSpec("F16", (2, 3))}
SPLIT = KeyMap(
    {
        **{name: TensorSpec("F16", (2, 2)) for name in "qkv"},
        "out.weight": TensorSpec("F16", (3, 2)),
    },
    {
        **{name: (Piece("qkv", 4 * i, name, 0, 4),) for i, name in enumerate("qkv")},
        "out.weight": (Piece("out", 0, "out.weight", 0, 6, (2, 3)),),
    },
    FUSED,
)


def test_runs_split_and_transposes_turn() -> None:
    file = noise(FUSED)
    made = copy_by(SPLIT, file)
    assert torch.equal(torch.cat([made["q"], made["k"], made["v"]]), file["qkv"])
    assert torch.equal(made["out.weight"], file["out"].T)


def test_the_inverse_puts_every_element_back() -> None:
    file = noise(FUSED)
    back = copy_by(SPLIT.inverse(), copy_by(SPLIT, file))
    assert list(back) == list(file)
    assert all(torch.equal(back[name], file[name]) for name in file)


def test_the_inverse_of_the_inverse_is_the_map() -> None:
    assert SPLIT.inverse().inverse() == SPLIT


def test_a_source_that_is_not_covered_is_left_out() -> None:
    pieces = {name: SPLIT.pieces[name] for name in ("q", "k", "out.weight")}
    partly = KeyMap({name: SPLIT.specs[name] for name in pieces}, pieces, FUSED)
    assert list(partly.inverse().specs) == ["out"]


def test_empty_tensors_travel() -> None:
    flag = {"v_pred": TensorSpec("F32", (0,))}
    keymap = identity(flag, {"v_pred": "extra.v_pred"})
    assert keymap.inverse().specs == flag


def test_union_keeps_the_order() -> None:
    flag = identity({"z": TensorSpec("F32", ())}, {"z": "extra.z"})
    assert list(union([SPLIT, flag]).specs) == [*SPLIT.specs, "extra.z"]
