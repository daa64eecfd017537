"""Compare: what in a fresh trace differs from the frozen tables, by name."""

from __future__ import annotations

from collections.abc import Mapping

from sdmerge.families.family import Family
from sdmerge.families.frozen import Tables, load
from sdmerge.families.table import Table


def drift(family: Family, fresh: Tables) -> list[str]:
    """A line for every rule, file shape or depth that differs; none where all is as frozen."""
    frozen = load(family.name, family.package)
    lines: list[str] = []
    for name in sorted({*frozen, *fresh}):
        where = f"{family.name}.{name}"
        if name not in frozen or name not in fresh:
            lines.append(f"{where}: only {'traced' if name in fresh else 'frozen'}")
            continue
        lines += [f"{where}.{line}" for line in _table_drift(frozen[name], fresh[name])]
    return lines


def _table_drift(frozen: Table, fresh: Table) -> list[str]:
    unused = (dict.fromkeys(frozen.unused, "unused"), dict.fromkeys(fresh.unused, "unused"))
    return [
        *_mapping_drift(frozen.rules, fresh.rules),
        *_mapping_drift(frozen.files, fresh.files),
        *_mapping_drift(frozen.depths, fresh.depths),
        *_mapping_drift(frozen.branches, fresh.branches),
        *_mapping_drift(*unused),
    ]


def _mapping_drift(frozen: Mapping[str, object], fresh: Mapping[str, object]) -> list[str]:
    return [
        f"{key}: frozen {frozen.get(key)}, now {fresh.get(key)}"
        for key in sorted({*frozen, *fresh})
        if frozen.get(key) != fresh.get(key)
    ]
