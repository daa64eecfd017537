"""The command line as a whole: help, what it imports, exit codes, JSON, quiet, plug-ins."""

from __future__ import annotations

import contextlib
import io
import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from tiny import ROOT, cli, copy, load, recipe, words

import sdmerge.inventory
from sdmerge.cli.main import COMMANDS, run
from sdmerge.cli.output import Output
from sdmerge.manifest import manifest
from sdmerge.method import METHODS

HEAVY = ("torch", "diffusers", "transformers", "gradio", "numpy", "huggingface_hub", "PIL")


def imported(*arguments: str) -> tuple[set[str], str]:
    """The modules that a fresh process has at its end, and what it printed."""
    code = f"""
import sys
from sdmerge.cli.main import run
code = run({list(arguments)!r})
print(*sys.modules, file=sys.stderr)
sys.exit(code)
"""
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True
    )
    return set(done.stderr.split()), done.stdout


# help


@pytest.mark.parametrize("arguments", [["--help"], ["merge", "--help"], ["methods", "ties"]])
def test_help_needs_no_heavy_library(arguments: list[str]) -> None:
    modules, printed = imported(*arguments)
    assert printed
    assert not modules & set(HEAVY)


def test_python_dash_m() -> None:
    done = subprocess.run(
        [sys.executable, "-X", "importtime", "-m", "sdmerge", "--help"],
        cwd=ROOT, capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert done.stdout.startswith("Usage: sdmerge [OPTIONS] COMMAND")
    modules = {line.rsplit("|", 1)[1].strip() for line in done.stderr.splitlines() if "|" in line}
    assert "sdmerge.cli.main" in modules
    assert not modules & set(HEAVY)


def test_every_command_has_help() -> None:
    said = cli("--help")
    assert said.code == 0
    for name, (_, text) in COMMANDS.items():
        assert re.search(rf"^  {name} +{re.escape(text)}$", said.out, re.MULTILINE)
        own = cli(name, "--help")
        assert own.code == 0
        assert own.out.startswith(f"Usage: sdmerge {name} ")
        assert "--json" in own.out
        assert "--debug" in own.out
        assert own.err == ""
    assert cli("-h").out == said.out


def test_examples_in_help_stay_line_by_line() -> None:
    lines = cli("merge", "--help").out.splitlines()
    assert "  sdmerge merge recipes/first.yaml -o out/first.safetensors" in lines


def test_every_parameter_of_every_method_is_a_flag() -> None:
    names = {param.name for spec in manifest().values() for param in spec.params}
    text = cli("merge", "--help").out
    assert all(f"--{name} VALUE" in text for name in names)
    assert manifest()["slerp"].param("t").doc in " ".join(text.split())


def test_version() -> None:
    said = cli("--version")
    assert said.code == 0
    assert re.fullmatch(r"sdmerge, version \d+\.\d+\.\d+\n", said.out)


def test_without_a_command_there_is_help() -> None:
    said = cli()
    assert said.code == 2
    assert said.err.startswith("Usage: sdmerge")
    assert said.out == ""


# mistakes


@pytest.mark.parametrize(
    ("arguments", "phrases"),
    [
        (["mergr"], ["no command 'mergr'", "Did you mean 'merge'"]),
        (["xyz"], ["no command 'xyz'", "One of: inspect, methods"]),
        (["merge"], ["RECIPE"]),
        (["merge", "a.yaml"], ["--output"]),
        (["plan", "a.yaml", "--forec"], ["--forec"]),
        (["--wrkspace", "x", "methods"], ["--wrkspace", "--workspace"]),
        (["methods", "tise"], ["no merge method 'tise'", "Did you mean 'ties'", "Known: "]),
        (["families", "sdlx"], ["sdlx", "Did you mean 'sdxl'"]),
        (["merge", "a", "b", "-o", "x", "--layout", "zip"], ["'zip'", "diffusers"]),
        (["--plugin", "nowhere.py", "methods"], ["nowhere.py", "not a Python file"]),
    ],
)
def test_mistakes(arguments: list[str], phrases: list[str]) -> None:
    said = cli(*arguments)
    assert said.code == 2, said.err
    assert said.out == ""
    assert all(phrase in said.err for phrase in phrases), said.err
    assert "Traceback" not in said.err


def test_errors_are_json_too() -> None:
    said = cli("methods", "tise", "--json")
    assert said.code == 2
    assert "no merge method 'tise'" in said.data["error"]
    assert "no merge method 'tise'" in said.err


def test_a_traceback_only_on_request(tmp_path: Path) -> None:
    arguments = ["inspect", str(tmp_path)]
    assert "Traceback" not in cli(*arguments).err
    assert "Traceback" in cli("--debug", *arguments).err
    assert "Traceback" in cli(*arguments, "--debug").err


def test_a_bug_of_ours_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(path: Path, **options: bool) -> None:
        raise ZeroDivisionError("of all things")

    monkeypatch.setattr(sdmerge.inventory, "open_model", broken)
    said = cli("inspect", words())
    assert said.code == 1
    assert "a bug of ours: ZeroDivisionError: of all things" in said.err
    assert "--debug" in said.err


def test_too_little_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    def greedy(path: Path, **options: bool) -> bytearray:
        return bytearray(1 << 62)

    monkeypatch.setattr(sdmerge.inventory, "open_model", greedy)
    said = cli("inspect", words())
    assert said.code == 3
    assert "not enough memory" in said.err


def test_a_full_disk_behind_a_pipe() -> None:
    """The system's own 'no space left on device', which names no file."""
    full, talk = Path("/dev/full").open("w"), io.StringIO()  # noqa: SIM115
    with contextlib.redirect_stdout(full), contextlib.redirect_stderr(talk):
        code = run(["methods"])
    with contextlib.suppress(OSError):
        full.close()
    assert code == 3
    assert "the disk is full\n  Free some space" in talk.getvalue()


# forms of output


def test_data_on_stdout_and_talk_on_stderr(tmp_path: Path) -> None:
    arguments = ["merge", words(1), words(2), "--method", "linear", "-o"]
    said = cli(*arguments, tmp_path / "a.safetensors")
    assert said.out.startswith("sd1: 36 tensors merged, 0 copied\n")
    assert said.out.endswith(f"wrote {tmp_path / 'a.safetensors'}\n")
    assert re.search(r"merging: \d+ of \d+ MB, [\d,]+ MB/s, \d+ s left", said.err)
    quiet = cli(*arguments, tmp_path / "b.safetensors", "-q")
    assert (quiet.out, quiet.err) == (f"{tmp_path / 'b.safetensors'}\n", "")


def test_json_is_one_value_with_everything(tmp_path: Path) -> None:
    out = tmp_path / "a.safetensors"
    said = cli("--json", "merge", words(1), words(2), "--method", "ties", "--base", words(0),
               "-o", out)  # fmt: skip
    data = said.data
    assert data["path"] == str(out)
    assert re.fullmatch("[0-9a-f]{64}", data["tensor_hash"])
    assert (data["family"], data["merged"], data["copied"]) == ("sd1", 36, 0)
    assert [one["name"] for one in data["inputs"]] == ["base", words(1).stem, words(2).stem]
    assert data["components"][0] == {
        "name": "text_encoder", "tensors": 36, "merged": 36, "how": "ties",
    }  # fmt: skip
    assert any("ties.density is 0.2 by default" in note for note in data["notes"])
    assert "merging:" in said.err


@pytest.mark.parametrize("name", ["methods", "families", "inspect", "plan", "show"])
def test_json_everywhere(name: str, tmp_path: Path) -> None:
    out = tmp_path / "a.safetensors"
    assert cli("merge", words(1), "--method", "linear", "-o", out, "-q").code == 0
    arguments = {
        "inspect": [out],
        "plan": [words(1), "--method", "linear"],
        "show": [out],
    }.get(name, [])
    before, after = cli("--json", name, *arguments), cli(name, *arguments, "--json")
    assert before.data == after.data
    assert isinstance(before.data, dict)


def test_a_bar_with_rate_and_time_left_on_a_terminal() -> None:
    """Rich asks the stream whether it is a terminal."""

    class Terminal(io.StringIO):
        def isatty(self) -> bool:
            return True

    terminal = Terminal()
    with contextlib.redirect_stderr(terminal), Output().progress("merging") as advance:
        advance(250_000_000, 1_000_000_000)
        advance(1_000_000_000, 1_000_000_000)
    text = terminal.getvalue()
    assert "merging" in text
    assert "1.0/1.0 GB" in text
    assert "0:00:00" in text


def test_words_between_colons_stay_words(tmp_path: Path) -> None:
    """What looks like an emoji's name is part of a path."""
    folder = tmp_path / "x:heart:y"
    folder.mkdir()
    said = cli("inspect", folder)
    assert str(folder) in said.err
    assert cli("merge", words(1), "--method", "linear", "-o", folder / "[red]a").code == 0


# plug-ins


PLUGIN = '''
from sdmerge.method import Weight, Weights, method
from sdmerge.params import Fraction, Range

@method(title="Faded", paper="https://example.org/faded")
def faded(weights: Weights, *, fading: Fraction = 0.5) -> Weight:
    """Fade the first model: (1 - fading)·θ.

    fading: How much of it goes.
    """
    return (1 - fading) * weights[0]
'''


@pytest.fixture
def plugin(tmp_path: Path) -> Iterator[Path]:
    """A file with a method in it, forgotten again afterwards."""
    methods, specs = dict(METHODS._entries), dict(manifest()._specs)
    path = tmp_path / "faded.py"
    path.write_text(PLUGIN)
    yield path
    METHODS._entries.clear()
    METHODS._entries.update(methods)
    manifest()._specs = specs
    sys.modules.pop("sdmerge_plugin_faded", None)


def test_a_method_of_ones_own(plugin: Path, tmp_path: Path) -> None:
    own = cli("--plugin", plugin, "methods", "faded", "--json").data
    assert own["title"] == "Faded"
    assert own["params"][0]["doc"] == "How much of it goes."
    assert "faded" in cli("--plugin", plugin, "methods", "-q").out.split()
    assert "--fading VALUE" in cli("--plugin", plugin, "merge", "--help").out
    out = tmp_path / "x.safetensors"
    arguments = ["--plugin", plugin, "merge", words(1), "--method", "faded"]
    assert cli(*arguments, "--fading", "0.75", "-o", out).code == 0
    before, after = load(words(1)), load(out)
    assert all((after[name].float() - 0.25 * before[name].float()).abs().max() < 1e-3
               for name in before)  # fmt: skip
    said = cli(*arguments, "--fading", "1.5", "-o", tmp_path / "y.safetensors")
    assert said.code == 2
    assert "fading = 1.5 is outside 0..1" in said.err
    assert cli("--plugin", plugin, "verify", out, "-q").out == "same\n"


def test_a_recipe_with_a_method_of_ones_own(plugin: Path, tmp_path: Path) -> None:
    text = f"merge_method: faded\nmodels: [{{model: {words(1)}}}]\nparameters: {{fadin: 0.5}}\n"
    path = recipe(tmp_path / "r.yaml", text)
    said = cli("plan", path)
    assert "no merge method 'faded'" in said.err
    said = cli("--plugin", plugin, "plan", path)
    assert "faded has no parameter 'fadin'" in said.err
    assert "Did you mean 'fading'" in said.err


@pytest.mark.parametrize(
    ("text", "phrases"),
    [
        ("import nothing_of_the_kind", ["cannot be loaded: ModuleNotFoundError"]),
        (PLUGIN.replace("fading: How", "How"), ["cannot be loaded: TypeError", "docstring line"]),
        (PLUGIN.replace("def faded", "def linear"), ["'linear' is defined in"]),
    ],
)
def test_plugins_that_are_wrong(
    plugin: Path, tmp_path: Path, text: str, phrases: list[str]
) -> None:
    plugin.write_text(text)
    said = cli("--plugin", plugin, "methods")
    assert said.code == 2
    assert all(phrase in said.err for phrase in phrases), said.err
    plugin.write_text(PLUGIN)
    assert cli("--plugin", plugin, "methods", "faded").code == 0


# the workspace


def test_models_are_looked_for_where_options_say(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    arguments = ["plan", words(1).name, "--method", "linear", "-q"]
    said = cli(*arguments)
    assert said.code == 2
    assert "there is no model" in said.err
    assert cli("--models", words(1).parent, *arguments).code == 0
    (tmp_path / "ws" / "models").mkdir(parents=True)
    (tmp_path / "ws" / "models" / words(1).name).symlink_to(words(1))
    assert cli("--workspace", tmp_path / "ws", *arguments).code == 0
    monkeypatch.setenv("SDMERGE_WORKSPACE", str(tmp_path / "ws"))
    assert cli(*arguments).code == 0


def test_hashes_are_remembered_in_the_workspace(tmp_path: Path) -> None:
    path = copy(words(1), tmp_path / "a.safetensors")
    os.utime(path, (1, 1))
    said = cli("--workspace", tmp_path / "ws", "merge", path, "--method", "linear",
               "-o", tmp_path / "x.safetensors")  # fmt: skip
    assert said.code == 0
    assert str(path) in json.loads((tmp_path / "ws" / "cache" / "sha256.json").read_text())
