"""`python -m sdmerge.families.build [--check] [NAME…]`: write or compare the frozen tables."""

from __future__ import annotations

import argparse
import sys
from importlib import resources
from pathlib import Path

from sdmerge.errors import SdmergeError
from sdmerge.families import FAMILIES, Family
from sdmerge.families.build.compare import drift
from sdmerge.families.build.freeze import freeze
from sdmerge.families.frozen import dump, file_name


def main(argv: list[str] | None = None) -> int:
    """0 where every table was written or is as frozen, 1 where one differs, 2 where one fails."""
    parser = argparse.ArgumentParser(prog="python -m sdmerge.families.build", description=__doc__)
    parser.add_argument("--check", action="store_true", help="write nothing, name what differs")
    parser.add_argument("families", nargs="*", metavar="NAME", help="all families if none is given")
    chosen = parser.parse_args(argv)
    names = chosen.families or [family.name for family in FAMILIES]
    try:
        return max(_build(FAMILIES.get(name), check=chosen.check) for name in names)
    except SdmergeError as error:
        sys.stderr.write(f"{error}\n")
        return 2


def _build(family: Family, *, check: bool) -> int:
    tables = freeze(family)
    if check:
        differing = drift(family, tables)
        sys.stdout.writelines(f"{line}\n" for line in differing or [f"{family.name}: as frozen"])
        return 1 if differing else 0
    path = Path(str(resources.files(family.package))) / file_name(family.name)
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(dump(tables))
    sys.stdout.write(f"{path.name}: {path.stat().st_size} bytes\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
