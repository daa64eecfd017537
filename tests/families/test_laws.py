from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import pytest

from sdmerge.errors import FamilyError
from sdmerge.families import FAMILIES, SINGLE_FILE, Family
from sdmerge.families.blocks import Blocks
from sdmerge.families.table import Table
from sdmerge.testing import check_family

SD1 = FAMILIES.get("sd1")


@pytest.mark.parametrize("name", [family.name for family in FAMILIES])
def test_every_family_holds_to_the_laws(name: str) -> None:
    check_family(name, installed=False)


def test_a_family_that_is_another_one_is_caught() -> None:
    # its tables are sd1's, and of two that explain the same the first is taken
    with pytest.raises(AssertionError, match="recognised as sd1"):
        check_family(_with_tables("twin", SD1.tables), installed=False)


def test_a_block_without_tensors_is_caught() -> None:
    more = Blocks((*SD1.blocks, "OUT12"), SD1.depth.label)
    with pytest.raises(AssertionError, match=r"without tensors: \['OUT12'\]"):
        check_family(replace(SD1, depth=more), installed=False)


def test_a_map_that_is_not_one_to_one_is_caught() -> None:
    table = SD1.tables["unet", SINGLE_FILE]
    rules = dict(table.rules)
    norm = rules["conv_norm_out.weight"]
    rules["conv_norm_out.bias"] = replace(norm, key="conv_norm_out.bias")
    wrong = {**SD1.tables, ("unet", SINGLE_FILE): replace(table, rules=rules)}
    with pytest.raises(FamilyError, match=r"out\.0\.weight"):
        check_family(_with_tables("sd1", wrong), installed=False)


def _with_tables(name: str, tables: Mapping[tuple[str, str], Table]) -> Family:
    family = replace(SD1, name=name)
    family.__dict__["tables"] = tables
    return family
