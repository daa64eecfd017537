"""Merging textual inversions: their vectors one after the other, or averaged."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Literal

import torch
from torch import Tensor

from sdmerge.adapters.embedding import Embedding, open_embedding
from sdmerge.errors import InputError
from sdmerge.sinks.file import check_file
from sdmerge.sinks.provenance import VERSION
from sdmerge.tensors.content import sha256_of
from sdmerge.tensors.dtypes import TORCH, code_of
from sdmerge.tensors.spec import TensorSpec, parse_dtype
from sdmerge.tensors.writer import SafetensorsWriter

How = Literal["concatenate", "average"]

LONGEST = 75
"""Places in a prompt for CLIP; an embedding of more vectors can never be used."""


def merge_embeddings(
    paths: Sequence[Path],
    target: Path,
    how: How,
    *,
    weights: Sequence[float] = (),
    token: str = "",
    dtype: str | None = None,
    force: bool = False,
    allow_pickle: bool = False,
) -> Mapping[str, Tensor]:
    """Write the merged embedding in the form of the first, and give its tensors.

    A1111's pickles are written as .safetensors with `emb_params`, which it reads as well.

    weights: For `average`, one per file; equal ones by default. They are divided by their sum.
    token: The word it gets in diffusers' form; by default that of the first.
    """
    check_file(target, force=force)
    opened = [open_embedding(path, allow_pickle=allow_pickle) for path in paths]
    stored = TORCH[parse_dtype(dtype)] if dtype else None
    merged = concatenated(opened) if how == "concatenate" else averaged(opened, weights)
    tensors = _formed(opened[0], merged, token, stored)
    record: dict[str, object] = {"method": how, **({"weight": list(weights)} if weights else {})}
    record["inputs"] = [
        {"name": path.name, "sha256": sha256_of(path, cache=None)} for path in paths
    ]
    _write(target, tensors, {"sdmerge.embedding": json.dumps(record), "sdmerge.version": VERSION})
    return tensors


def concatenated(opened: Sequence[Embedding]) -> list[Tensor]:
    """Per text encoder all vectors [Σn, width], float32: the words one after the other."""
    _check_encoders(opened)
    count = sum(one.count for one in opened)
    if count > LONGEST:
        what = f"{count} vectors are more than the {LONGEST} places of a prompt"
        raise InputError(what, hint="Average them, or leave some out.")
    return [torch.cat([one.float() for one in rows]) for rows in _rows(opened)]


def averaged(opened: Sequence[Embedding], weights: Sequence[float] = ()) -> list[Tensor]:
    """Per text encoder Σ wᵢ·eᵢ / Σ wᵢ [n, width], float64."""
    _check_encoders(opened)
    counts = [one.count for one in opened]
    if len(set(counts)) > 1:
        listed = ", ".join(f"{one.path.name} has {one.count}" for one in opened)
        hint = "Embeddings of different lengths can be put one after the other: concatenate."
        raise InputError(f"only equal numbers of vectors can be averaged: {listed}", hint=hint)
    if weights and len(weights) != len(opened):
        raise InputError(f"{len(weights)} weights are given for {len(opened)} embeddings")
    shares = torch.tensor(weights or [1.0] * len(opened), dtype=torch.float64)
    total = float(shares.sum())
    if not abs(total) > 1e-9 * float(shares.abs().sum()):
        raise InputError("the weights sum to 0, so that there is no average")
    return [
        (torch.stack([one.double() for one in rows]) * shares[:, None, None]).sum(0).div(total)
        for rows in _rows(opened)
    ]


def _rows(opened: Sequence[Embedding]) -> list[tuple[Tensor, ...]]:
    """Per text encoder the vectors of every embedding."""
    if opened[0].form != "SDXL":
        return [tuple(next(iter(one.vectors.values())) for one in opened)]
    return [tuple(one.vectors[name] for one in opened) for name in opened[0].vectors]


def _check_encoders(opened: Sequence[Embedding]) -> None:
    first = opened[0]
    for other in opened[1:]:
        if other.widths != first.widths:
            widths = f"{_described(other)}, those of '{first.path.name}' {_described(first)}"
            what = f"its vectors are of width {widths}"
            hint = "Only embeddings for the same text encoders can be merged."
            raise InputError(what, where=str(other.path), hint=hint)


def _described(one: Embedding) -> str:
    return " and ".join(f"{name} {width}".lstrip() for name, width in one.widths.items())


def _formed(
    first: Embedding, merged: Sequence[Tensor], token: str, dtype: torch.dtype | None
) -> dict[str, Tensor]:
    """The vectors under the names of the first one's form, in its dtype."""
    names = list(first.vectors)
    if first.form == "A1111":
        names = ["emb_params"]
    elif token and first.form == "diffusers":
        names = [token]
    found: dict[str, Tensor] = {}
    for name, own, one in zip(names, first.vectors.values(), merged, strict=True):
        found[name] = one.to(dtype or own.dtype)
        if not torch.isfinite(found[name].float()).all():
            what = f"'{name}' holds numbers that are NaN, infinite or too large for its dtype"
            raise InputError(what, where=str(first.path))
    return found


def _write(path: Path, tensors: Mapping[str, Tensor], metadata: Mapping[str, str]) -> None:
    specs = {name: TensorSpec(code_of(t.dtype), tuple(t.shape)) for name, t in tensors.items()}
    path.parent.mkdir(parents=True, exist_ok=True)
    with SafetensorsWriter(path, specs, {"format": "pt", **metadata}) as writer:
        for name, tensor in tensors.items():
            writer.write(name, tensor.reshape(-1))
