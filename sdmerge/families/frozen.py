"""Frozen tables: what `families.build` traced, read back without diffusers."""

from __future__ import annotations

import gzip
import io
import json
from collections.abc import Mapping
from fractions import Fraction
from importlib import resources
from typing import Any

from sdmerge.families.table import WHOLE, Part, Rule, Shape, Table

Tables = Mapping[str, Table]
_WHOLE = ["0", "1"]


def load(family: str, package: str = "sdmerge.families") -> dict[str, Table]:
    """A family's tables by component."""
    packed = resources.files(package).joinpath(file_name(family)).read_bytes()
    content: dict[str, Any] = json.loads(gzip.decompress(packed))
    return {name: _table(one) for name, one in content.items()}


def file_name(family: str) -> str:
    """Where a family's tables lie in its package."""
    return f"frozen/{family}.json.gz"


def dump(tables: Tables) -> bytes:
    """The tables as bytes that depend on nothing else."""
    content = {name: _plain(table) for name, table in tables.items()}
    text = json.dumps(content, separators=(",", ":"))
    packed = io.BytesIO()
    with gzip.GzipFile(fileobj=packed, mode="wb", mtime=0, filename="") as file:
        file.write(text.encode())
    return packed.getvalue()


def _plain(table: Table) -> dict[str, object]:
    rules = [
        [rule.key, rule.shape, [_part(p) for p in rule.parts]] for rule in table.rules.values()
    ]
    return {
        "rules": rules,
        "files": dict(table.files),
        "depths": dict(table.depths),
        "unused": sorted(table.unused),
        "branches": dict(table.branches),
    }


def _part(part: Part) -> object:
    shares = [[str(edge) for edge in share] for share in (part.source_share, part.target_share)]
    if shares == [_WHOLE, _WHOLE] and not part.transpose:
        return part.source
    return [part.source, *shares, part.transpose]


def _table(content: dict[str, Any]) -> Table:
    rules = {
        key: Rule(key, tuple(shape), tuple(_read_part(part) for part in parts))
        for key, shape, parts in content["rules"]
    }
    files: dict[str, Shape] = {name: tuple(shape) for name, shape in content["files"].items()}
    unused, branches = frozenset(content["unused"]), content.get("branches", {})
    return Table(rules, files, content["depths"], unused, branches=branches)


def _read_part(part: Any) -> Part:
    if isinstance(part, str):
        return Part(part)
    source, source_share, target_share, transpose = part
    return Part(source, _share(source_share), _share(target_share), transpose)


def _share(edges: list[str]) -> tuple[Fraction, Fraction]:
    return WHOLE if edges == _WHOLE else (Fraction(edges[0]), Fraction(edges[1]))
