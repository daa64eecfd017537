"""What each kind of adapter makes of a weight, by its formula in float64."""

from __future__ import annotations

import math
from collections.abc import Mapping

import torch
from torch import Tensor

Parts = Mapping[str, Tensor]


def changed(weight: Tensor, parts: Parts) -> Tensor:
    """W′ by the formula of the kind that the parts are of; `alpha` among them counts."""
    given = {end: part.double() for end, part in parts.items()}
    before = weight.double()
    after = before + difference(before, given)
    if "dora_scale" in given:
        magnitude = given["dora_scale"]
        side = 0 if magnitude.shape[0] == before.shape[0] and magnitude.numel() > 1 else 1
        if magnitude.shape[0] == 1:
            side = 1
        sums = after.square().transpose(0, side).flatten(1).sum(1)
        sizes = [1] * before.dim()
        sizes[side] = -1
        after = after * (magnitude.flatten() / sums.sqrt()).view(sizes)
    return after


def difference(weight: Tensor, p: Mapping[str, Tensor]) -> Tensor:
    """W′ - W without magnitudes."""
    shape = weight.shape
    if "lora_up.weight" in p:
        up, down = p["lora_up.weight"].flatten(1), p["lora_down.weight"]
        scale = _scale(p, down.shape[0])
        if "lora_mid.weight" in p:
            return scale * _tucker(up, p["lora_mid.weight"], down.flatten(1))
        return scale * (up @ down.flatten(1)).view(shape)
    if "hada_w1_a" in p:
        scale = _scale(p, p["hada_w1_b"].shape[0])
        one, other = (_hada(p, n) for n in (1, 2))
        return scale * (one * other).view(shape)
    if "lokr_w2" in p or "lokr_w2_a" in p:
        return _lokr(p).view(shape)
    if "a1.weight" in p:
        a1, a2 = p["a1.weight"].flatten(1), p["a2.weight"].flatten(1)
        added = p["b1.weight"].flatten(1) @ p["b2.weight"].flatten(1)
        scale = _scale(p, a2.shape[0])
        return scale * (torch.einsum("oi...,ij->oj...", weight, a1 @ a2) + added.view(shape))
    if "on_input" in p:
        sizes = [1] * weight.dim()
        sizes[int(p["on_input"])] = -1
        return weight * p["weight"].view(sizes)
    if "oft_blocks" in p:
        return _oft(weight, p) - weight
    if "set_weight" in p:
        return p["set_weight"] - weight
    return p["diff"] if "diff" in p else p["w_norm"]


def _scale(p: Parts, rank: int) -> float:
    return float(p["alpha"]) / rank if float(p.get("alpha", torch.tensor(0.0))) else 1.0


def _tucker(left: Tensor, core: Tensor, right: Tensor) -> Tensor:
    return torch.einsum("or,rs...,si->oi...", left, core, right)


def _hada(p: Parts, n: int) -> Tensor:
    a, b = p[f"hada_w{n}_a"], p[f"hada_w{n}_b"]
    return _tucker(a.T, p[f"hada_t{n}"], b) if f"hada_t{n}" in p else a @ b


def _lokr(p: Parts) -> Tensor:
    rank = 0
    if "lokr_w1" in p:
        w1 = p["lokr_w1"]
    else:
        w1, rank = p["lokr_w1_a"] @ p["lokr_w1_b"], p["lokr_w1_b"].shape[0]
    if "lokr_w2" in p:
        w2 = p["lokr_w2"]
    elif "lokr_t2" in p:
        w2, rank = _tucker(p["lokr_w2_a"].T, p["lokr_t2"], p["lokr_w2_b"]), len(p["lokr_w2_a"])
    else:
        w2, rank = p["lokr_w2_a"] @ p["lokr_w2_b"], p["lokr_w2_b"].shape[0]
    blocks = [torch.cat([w1[i, j] * w2 for j in range(w1.shape[1])], 1) for i in range(len(w1))]
    return torch.cat(blocks) * (_scale(p, rank) if rank else 1.0)


def _oft(weight: Tensor, p: Parts) -> Tensor:
    """Rotations written out as whole matrices."""
    learned = p["oft_blocks"]
    skew = learned - learned.mT
    bound = float(p.get("alpha", torch.tensor(0.0))) * len(weight)
    if 0 < bound < float(skew.norm()):
        skew = skew * bound / skew.norm()
    unit = torch.eye(skew.shape[-1], dtype=skew.dtype)
    rotations = (unit + skew) @ torch.linalg.inv(unit - skew)
    rows = weight.flatten(1)
    if rotations.dim() == 3:
        rows = torch.block_diag(*rotations).T @ rows
    else:
        for stage, blocks in enumerate(rotations):
            order = butterfly(len(rows), 2**stage * (blocks.shape[-1] // 2))
            rows[order] = torch.block_diag(*blocks) @ rows[order]
    return (rows * p.get("rescale", torch.ones(1)).double().view(-1, 1)).view(weight.shape)


def butterfly(size: int, apart: int) -> Tensor:
    """The order of rows that brings those together which lie `apart` in each run of twice that."""
    order = [run + k + g * apart for run in range(0, size, 2 * apart)
             for k in range(apart) for g in (0, 1)]  # fmt: skip
    assert math.prod((len(order),)) == size
    return torch.tensor(order)
