"""What tests of bad input share: small models, a merge of them, and what a refusal looks like."""

from __future__ import annotations

from pathlib import Path

import torch
from tiny import Said, cli, save

LAYER = "model.layers.{}.self_attn.q_proj.weight"
GOOD = """merge_method: ties
base_model: {base}
models:
  - model: {a}
    parameters:
      weight: 0.5
parameters:
  density: 0.5
"""
"""A recipe in which nothing is wrong."""


def little(path: Path, seed: int) -> Path:
    """A model of no known family, float16."""
    draw = torch.Generator().manual_seed(seed)
    return save(path, {LAYER.format(n): torch.randn(8, 8, generator=draw).half() for n in range(4)})


def refused(said: Said, *phrases: str, code: int = 2) -> None:
    """The exit code, each phrase in the complaint, nothing on stdout, and no traceback."""
    assert said.code == code, said.err
    assert "bug of ours" not in said.err
    assert "Traceback" not in said.err
    assert said.out == ""
    for phrase in phrases:
        assert phrase in said.err, f"{phrase!r} not in {said.err!r}"


def linear(*models: object, out: object, extra: tuple[object, ...] = ()) -> Said:
    """A linear merge by the command line."""
    return cli("merge", *models, "--method", "linear", "-o", out, *extra)
