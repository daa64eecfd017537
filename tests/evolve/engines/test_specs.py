"""The list of engines: what it says, what it refuses, and that it weighs nothing."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from sdmerge.cli.main import run
from sdmerge.errors import EngineError, MethodError, UnknownEngine
from sdmerge.evolve.engine.algorithm import Algorithm, Setup
from sdmerge.evolve.engine.spec import Engines, engine
from sdmerge.evolve.engines import ENGINES
from sdmerge.evolve.genes import Gene

WEIGHT = Gene("weight", "float", 0.5)
METHOD = Gene("method", "choice", "ties", choices=("linear", "ties"))


def test_they_are_listed_without_the_libraries() -> None:
    code = (
        "import sys\nfrom sdmerge.evolve.engines import ENGINES\n"
        "assert len(ENGINES) >= 10 and ENGINES['cma-es'].params\n"
        "print(*sorted({name.split('.')[0] for name in sys.modules}))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert not set(done.stdout.split()) & {"cmaes", "optuna", "torch", "scipy"}


def test_an_unknown_name_gets_the_nearest() -> None:
    with pytest.raises(UnknownEngine, match="Did you mean 'cma-es'"):
        ENGINES["cma_es"]
    assert "sobol" not in ENGINES


def test_parameters_are_checked_before_anything_is_opened() -> None:
    with pytest.raises(MethodError, match=r"sigma = 9.0 is outside"):
        ENGINES["cma-es"].open([WEIGHT], {"weight": 0.5}, 0, 10, sigma=9.0)
    with pytest.raises(MethodError, match="Did you mean 'population'"):
        ENGINES["cma-es"].open([WEIGHT], {"weight": 0.5}, 0, 10, populaton=9)
    with pytest.raises(EngineError, match="population of 3"):
        ENGINES["cma-es"].open([WEIGHT], {"weight": 0.5}, 0, 10, population=3)


def test_cma_es_names_who_takes_choices() -> None:
    with pytest.raises(EngineError, match="takes no choice genes") as caught:
        ENGINES["cma-es"].open([METHOD], {"method": "ties"}, 0, 10)
    assert "cat-cma" in caught.value.hint


def test_a_second_engine_of_a_name_is_refused() -> None:
    engines = Engines()

    def mine(setup: Setup) -> Algorithm:
        """Mine."""
        raise NotImplementedError

    engine(title="Mine", registry=engines)(mine)
    with pytest.raises(EngineError, match="'mine' is defined in"):
        engine(title="Mine", registry=engines)(mine)


def test_a_state_belongs_to_its_engine() -> None:
    opened = ENGINES["random"].open([WEIGHT], {"weight": 0.5}, 0, 10)
    state = opened.state()
    assert ENGINES.restore(state).ask() == opened.ask()
    with pytest.raises(EngineError, match="state of random, not of tpe"):
        ENGINES["tpe"].restore(state)


@pytest.mark.parametrize("length", [0, 1, 40, -2])
def test_half_a_state_is_said_to_be_broken(length: int) -> None:
    state = ENGINES["random"].open([WEIGHT], {"weight": 0.5}, 0, 10).state()
    with pytest.raises(EngineError, match="not the state of an engine"):
        ENGINES.restore(state[:length])


@pytest.mark.parametrize(
    ("part", "value"),
    [("genes", 3), ("memory", []), ("memory", {"batches": "x"}), ("genes", [{"name": "x"}]),
     ("memory", {"~": "os.system", "attributes": {}})],
)  # fmt: skip
def test_a_damaged_state_is_said_to_be_broken(part: str, value: object) -> None:
    entry = json.loads(ENGINES["random"].open([WEIGHT], {"weight": 0.5}, 0, 10).state())
    with pytest.raises(EngineError):
        ENGINES.restore(json.dumps({**entry, part: value}).encode())
    with pytest.raises(EngineError, match="format 2"):
        ENGINES.restore(json.dumps({**entry, "format": 2}).encode())


def test_the_command_lists_and_explains(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["engines"]) == 0
    assert set(ENGINES) <= set(capsys.readouterr().out.split())
    assert run(["engines", "m2n2"]) == 0
    said = capsys.readouterr().out
    assert "https://arxiv.org/abs/2508.16204" in said
    assert "Needs a score per prompt." in said
    assert "archive = 20" in said
    assert run(["engines", "cma-es", "--json"]) == 0
    data = json.loads(capsys.readouterr().out)
    assert data["kinds"] == ["float", "int"]
    assert data["params"][0]["name"] == "sigma"
    assert run(["engines", "cmaes"]) == 2
    assert "Did you mean 'cma-es'" in capsys.readouterr().err


def test_a_plug_in_adds_an_engine(tmp_path: Path) -> None:
    plugin = tmp_path / "still.py"
    plugin.write_text(
        """
from sdmerge.evolve.engine.algorithm import Algorithm, Setup
from sdmerge.evolve.engine.spec import engine

@engine(title="Standing still")
def stand_still(setup: Setup) -> Algorithm:
    '''Stays where it is.'''
    raise NotImplementedError
"""
    )
    twice = tmp_path / "twice.py"
    twice.write_text(plugin.read_text().replace("def stand_still", "def tpe"))
    code = f"""
from pathlib import Path
from sdmerge.cli.main import run
assert run(["--plugin", {str(plugin)!r}, "engines", "stand-still"]) == 0
assert run(["--plugin", {str(twice)!r}, "engines"]) == 2
"""
    command = [sys.executable, "-c", code]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert "Stays where it is." in done.stdout
    assert "'tpe' is defined in sdmerge_plugin_twice" in done.stderr
