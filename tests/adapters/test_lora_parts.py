"""Parts put together and dealt out: exact, and the inverse of each other."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
import torch
from torch import Tensor

from sdmerge.adapters.lora.parts import (
    ALPHA,
    DOWN,
    MAGNITUDE,
    UP,
    Parts,
    factors_of,
    is_row_magnitude,
    join,
    kind_of,
    parts_of,
    scale_of,
    shaped,
    split,
)
from sdmerge.families.keymap import Piece
from sdmerge.lowrank import Factors

WIDTH = 5
ROWS = {"q": 4, "k": 4, "v": 6}


def pieces(order: Sequence[str] = ("q", "k", "v")) -> tuple[Piece, ...]:
    """q, k and v above each other in "qkv"."""
    made: list[Piece] = []
    start = 0
    for key in order:
        made.append(Piece(key, 0, "qkv", start, ROWS[key] * WIDTH))
        start += ROWS[key] * WIDTH
    return tuple(made)


def drawn(key: str, rank: int, alpha: float | None, dtype: torch.dtype = torch.float32) -> Parts:
    generator = torch.Generator().manual_seed(ROWS[key] * rank + ord(key))
    made = {
        DOWN: torch.randn(rank, WIDTH, generator=generator).to(dtype),
        UP: torch.randn(ROWS[key], rank, generator=generator).to(dtype),
    }
    return made if alpha is None else {**made, ALPHA: torch.tensor(alpha)}


def delta(parts: Parts) -> Tensor:
    """ΔW by the formula, in float64."""
    rank = parts[DOWN].shape[0]
    scale = float(parts[ALPHA]) / rank if ALPHA in parts else 1.0
    return scale * parts[UP].double().flatten(1) @ parts[DOWN].double().flatten(1)


@pytest.mark.parametrize("alphas", [(2.0, 1.0, 3.0), (1.0, 0.25, 7.0), (None, None, None)])
def test_a_fused_weight_is_its_parts_exactly(alphas: tuple[float | None, ...]) -> None:
    """Equal and unequal scales; half-precision factors too."""
    for dtype in (torch.float32, torch.float16):
        learned = {
            key: drawn(key, rank, alpha, dtype)
            for key, rank, alpha in zip("qkv", (2, 1, 3), alphas, strict=True)
        }
        made = join(learned, pieces(), (14, WIDTH))
        wanted = torch.cat([delta(learned[key]) for key in "qkv"])
        assert made[DOWN].shape == (6, WIDTH)
        assert (delta(made) - wanted).abs().max() < 1e-6
        if len({scale_of(one) for one in learned.values()}) == 1:
            assert (delta(made) - wanted).abs().max() < 1e-12
            assert made[UP].dtype is dtype


def test_what_was_not_learned_stays_as_it_is() -> None:
    learned = {"q": drawn("q", 2, 1.0), "v": drawn("v", 3, 1.5)}
    made = delta(join(learned, pieces(), (14, WIDTH)))
    assert (made[:4] - delta(learned["q"])).abs().max() < 1e-12
    assert not made[4:8].any()
    assert (made[8:] - delta(learned["v"])).abs().max() < 1e-12


def test_what_was_dealt_out_goes_together_again_bit_for_bit() -> None:
    """The shared factor is found again: no rank is added, whatever the order of the rows."""
    for order in ("qkv", "vqk"):
        fused = {
            DOWN: torch.randn(3, WIDTH).half(),
            UP: torch.randn(14, 3).half(),
            ALPHA: torch.tensor(1.5),
        }
        there = pieces(order)
        back = [piece.turned() for piece in there]
        dealt = split(fused, back, {key: (rows, WIDTH) for key, rows in ROWS.items()})
        whole = delta(fused)
        start = 0
        for key in order:
            gap = delta(dealt[key]) - whole[start : start + ROWS[key]]
            assert gap.abs().max() < 1e-12
            start += ROWS[key]
        again = join(dealt, there, (14, WIDTH))
        assert all(torch.equal(again[name], fused[name]) for name in fused)
        assert again.keys() == fused.keys()


def test_rows_that_change_places_within_one_weight() -> None:
    """As the scale and the shift of FLUX's last norm do."""
    swapped = (Piece("v", 15, "out", 0, 15), Piece("v", 0, "out", 15, 15))
    parts = drawn("v", 2, 1.0)
    made = join({"v": parts}, swapped, (6, WIDTH))
    wanted = torch.cat([parts[UP][3:], parts[UP][:3]])
    assert torch.equal(made[UP], wanted)
    assert torch.equal(made[DOWN], parts[DOWN])


def test_magnitudes_go_with_their_rows() -> None:
    learned = {key: {**drawn(key, 2, 1.0), MAGNITUDE: torch.rand(ROWS[key], 1)} for key in ROWS}
    made = join(learned, pieces(), (14, WIDTH))
    assert torch.equal(made[MAGNITUDE], torch.cat([learned[key][MAGNITUDE] for key in "qkv"]))
    shapes = {key: (rows, WIDTH) for key, rows in ROWS.items()}
    dealt = split(made, [piece.turned() for piece in pieces()], shapes)
    assert all(torch.equal(dealt[key][MAGNITUDE], learned[key][MAGNITUDE]) for key in ROWS)


@pytest.mark.parametrize("shape", [(6, 4), (6, 4, 1, 1), (6, 2, 3, 3)])
def test_factors_get_the_shapes_of_the_weight(shape: tuple[int, ...]) -> None:
    columns = torch.Size(shape[1:]).numel()
    factors = Factors(torch.randn(6, 2), torch.randn(2, columns), 0.75)
    parts = parts_of(factors, shape)
    assert parts[DOWN].shape == (2, *shape[1:])
    assert parts[UP].shape == (6, 2, *(1,) * (len(shape) - 2))
    assert float(parts[ALPHA]) == 1.5
    back = factors_of(parts)
    assert torch.equal(back.up, factors.up)
    assert torch.equal(back.down, factors.down)
    assert back.scale == factors.scale


def test_a_matrix_for_a_small_kernel_gets_its_dimensions() -> None:
    made = shaped(drawn("q", 2, 1.0), (4, WIDTH, 1, 1))
    assert made[DOWN].shape == (2, WIDTH, 1, 1)
    assert made[UP].shape == (4, 2, 1, 1)
    other = {"hada_w1_a": torch.rand(2, 2)}
    assert shaped(other, (2, 2, 1, 1)) is other


def test_kinds_are_told_by_their_parts() -> None:
    value = torch.rand(2, 2)
    assert kind_of({DOWN: value, UP: value}) == "LoRA"
    assert kind_of({DOWN: value, UP: value, MAGNITUDE: value}) == "DoRA"
    assert kind_of({"hada_w1_a": value, ALPHA: value}) == "LoHa"


def test_magnitudes_of_rows_and_of_columns_are_told_apart() -> None:
    parts = drawn("v", 2, 1.0)
    assert is_row_magnitude({**parts, MAGNITUDE: torch.rand(6, 1)})
    assert not is_row_magnitude({**parts, MAGNITUDE: torch.rand(1, WIDTH)})
    assert not is_row_magnitude({**parts, MAGNITUDE: torch.rand(1, 6)})


def test_an_alpha_of_none_or_zero_is_a_scale_of_one() -> None:
    assert scale_of(drawn("q", 4, None)) == scale_of(drawn("q", 4, 0.0)) == 1
    assert scale_of(drawn("q", 4, 1.0)) == 0.25
