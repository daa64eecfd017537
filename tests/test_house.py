"""The house rules that a tool can check."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
SOURCES = sorted((ROOT / "sdmerge").rglob("*.py"))


@pytest.mark.parametrize(
    "command",
    [["ruff", "check"], ["ruff", "format", "--check"], ["basedpyright", "--warnings"]],
    ids=["lint", "format", "types"],
)
def test_tool_is_content(command):
    tool = str(Path(sys.executable).with_name(command[0]))
    done = subprocess.run(
        [tool, *command[1:]], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout[-4000:]


def test_files_are_short():
    long = {
        str(path.relative_to(ROOT)): count
        for path in SOURCES
        if (count := len(path.read_text("utf-8").splitlines())) > 400
    }
    assert not long


def test_nothing_is_left_open():
    open_ends = re.compile(r"\b(TODO|FIXME|XXX|NotImplementedError)\b")
    assert not [path.name for path in SOURCES if open_ends.search(path.read_text("utf-8"))]


def test_public_names_exist_and_are_pinned():
    import sdmerge

    assert all(getattr(sdmerge, name) is not None for name in sdmerge.__all__)
    assert sdmerge.__all__ == [
        "FAMILIES", "METHODS", "DictSink", "FileSink", "FolderSink", "LiveMerge", "LiveSink",
        "Plan", "Progress", "Recipe", "Report", "SdmergeError", "Workspace", "find_workspace",
        "live_source", "load_recipe", "open_model", "parse_recipe", "recipe_from_data",
        "recognise", "run",
        "stream",
    ]  # fmt: skip
    with pytest.raises(AttributeError):
        _ = sdmerge.no_such_name
