"""The app is a shell: it takes from the library what one file names, and Gradio."""

from __future__ import annotations

import ast
from pathlib import Path

import sdmerge_ui

FOLDER = Path(sdmerge_ui.__file__).parent
SERVES = {"fastapi", "uvicorn"}
"""What Gradio itself is served by."""
ALLOWED = {"library.py": {"sdmerge"}, "server.py": SERVES, "grids.py": SERVES}
STANDARD = {
    "__future__", "collections", "contextlib", "dataclasses", "functools", "hashlib", "http",
    "importlib", "json", "os", "pathlib", "random", "re", "shlex", "shutil", "socket", "tempfile",
    "threading", "time", "typing", "urllib",
}  # fmt: skip


def imported(path: Path) -> set[str]:
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            found.add(node.module or "")
    return {name.split(".")[0] for name in found}


def test_only_gradio_and_one_file_of_names() -> None:
    for path in sorted(FOLDER.rglob("*.py")):
        more = imported(path) - STANDARD - {"gradio", "sdmerge_ui"}
        allowed = ALLOWED.get(path.name, set())
        assert more <= allowed, path


def test_files_are_short() -> None:
    for path in [*FOLDER.rglob("*.py"), *FOLDER.glob("assets/*")]:
        assert len(path.read_text("utf-8").splitlines()) <= 400, path
