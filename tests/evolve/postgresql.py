"""A PostgreSQL server for tests: its data in a folder of its own, on a socket that lies there."""

from __future__ import annotations

import contextlib
import glob
import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

USER = "sdmerge"
_FAST = "-c fsync=off -c full_page_writes=off -c synchronous_commit=off -c max_connections=20"


def programs() -> Path | None:
    """The folder of initdb and pg_ctl, also where Debian hides it; None if there is none."""
    places = [shutil.which("initdb"), *sorted(glob.glob("/usr/lib/postgresql/*/bin/initdb"))]  # noqa: PTH207
    found = next((Path(place) for place in places if place), None)
    return None if found is None else found.resolve().parent


@contextlib.contextmanager
def server(bin_: Path) -> Iterator[str]:
    """A running server; the URL of a database in it, whose end is /postgres?host=…"""
    # a socket's path is short, and its folder is one that the server's user may enter
    folder = Path(tempfile.mkdtemp(prefix="sdmerge-pg-", dir="/tmp"))
    data, identity = folder / "data", _identity(folder)

    def call(program: str, *arguments: str) -> None:
        subprocess.run(
            [bin_ / program, "-D", data, *arguments], check=True, cwd=folder, **identity,
            stdout=subprocess.DEVNULL, stderr=subprocess.STDOUT,
        )  # fmt: skip

    try:
        call("initdb", "-A", "trust", "-U", USER, "-E", "UTF8", "--locale=C", "--no-sync")
        options = f"-k {folder} -c listen_addresses='' {_FAST}"
        call("pg_ctl", "start", "-w", "-l", str(folder / "log"), "-o", options)
        try:
            yield f"postgresql://{USER}@/postgres?host={folder}"
        finally:
            call("pg_ctl", "stop", "-w", "-m", "immediate")
    finally:
        shutil.rmtree(folder)


def _identity(folder: Path) -> dict[str, int]:
    """Whom the server runs as: PostgreSQL refuses root, who lends `folder` to somebody else."""
    if os.geteuid():
        return {}
    import pwd

    names = {one.pw_name: one for one in pwd.getpwall()}
    somebody = names.get("postgres") or names["nobody"]
    os.chown(folder, somebody.pw_uid, somebody.pw_gid)
    return {"user": somebody.pw_uid, "group": somebody.pw_gid}
