"""Merges that are stopped from outside, in processes of their own."""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path

import pytest
from tiny import ROOT, cli, listing, words

pytestmark = pytest.mark.long

SLOW = '''
import sys, time
from sdmerge.method import Weight, Weights, method

@method(title="Slow", paper="https://example.org")
def slow(weights: Weights) -> Weight:
    """The first model, slowly."""
    print("under way", flush=True)
    time.sleep(0.3)
    return weights[0]
'''


@pytest.fixture
def merging(tmp_path: Path) -> subprocess.Popen[str]:
    """A merge that has written its first tensors and will take a while longer."""
    plugin = tmp_path / "slow.py"
    plugin.write_text(SLOW)
    arguments = [str(words(1)), str(words(2)), "--method", "slow", "--threads", "1"]
    out = tmp_path / "out" / "x.safetensors"
    command = [sys.executable, "-m", "sdmerge", "--plugin", str(plugin), "merge", *arguments]
    process = subprocess.Popen(
        [*command, "-o", str(out)],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    for _ in range(3):
        assert process.stdout.readline() == "under way\n", process.communicate()[1]
    assert [Path(name).suffix for name in listing(out.parent)] == [".partial"]
    return process


def test_control_c_leaves_nothing(merging: subprocess.Popen[str], tmp_path: Path) -> None:
    merging.send_signal(signal.SIGINT)
    _, err = merging.communicate(timeout=120)
    assert merging.returncode == 130
    assert "stopped; nothing was written" in err
    assert "Traceback" not in err
    assert listing(tmp_path / "out") == []


def test_a_killed_merge_leaves_nothing_that_looks_whole(
    merging: subprocess.Popen[str], tmp_path: Path
) -> None:
    merging.kill()
    merging.communicate(timeout=120)
    left = listing(tmp_path / "out")
    assert [Path(name).suffix for name in left] == [".partial"]
    out = tmp_path / "out" / "x.safetensors"
    assert cli("merge", words(1), words(2), "--method", "linear", "-o", out).code == 0
    assert listing(tmp_path / "out") == ["x.safetensors"]
