"""A state goes on in another process as it would have in this one."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from sdmerge.evolve.engine.running import Engine
from sdmerge.evolve.engines import ENGINES
from sdmerge.evolve.genes import Gene, Told, positions

CODE = """
import json, sys
from pathlib import Path
sys.path.insert(0, sys.argv[2])
from test_fresh_process import go_on
from sdmerge.evolve.engines import ENGINES
folder = Path(sys.argv[1])
states = {path.stem: ENGINES.restore(path.read_bytes()) for path in folder.iterdir()}
print(json.dumps({name: go_on(name, engine) for name, engine in states.items()}))
"""
GENES = [
    *(Gene(f"weight {at}", "float", 0.4, low=-0.3, high=1.5) for at in range(6)),
    Gene("steps", "int", 4, low=2, high=8),
]
MIXED = [*GENES, Gene("method", "choice", "ties", choices=("linear", "ties", "slerp"))]


def go_on(name: str, engine: Engine, batches: int = 3) -> list[object]:
    """The next candidates, told a function of themselves."""
    genes = MIXED if "method" in engine.ask()[0] else GENES
    seen: list[object] = []
    for _ in range(batches):
        asked = engine.ask()
        places = [np.array(positions(genes, one)) for one in asked]
        engine.tell(
            [
                Told(one, (-float(x @ x), float(x.sum()))[: ENGINES[name].objectives[0]], tuple(-x))
                for one, x in zip(asked, places, strict=True)
            ]
        )
        seen += [list(one.values()) for one in asked]
    return seen


@pytest.mark.parametrize(
    "names",
    [
        [name for name in ENGINES if name != "gp"],
        pytest.param(["gp"], marks=pytest.mark.long),  # torch is imported once more
    ],
    ids=["all", "gp"],
)
def test_engines_go_on_in_another_process(names: list[str], tmp_path: Path) -> None:
    wanted: dict[str, list[object]] = {}
    for name in names:
        spec = ENGINES[name]
        genes = MIXED if "choice" in spec.kinds else GENES
        quick = {"startup": 6, "batch": 1} if name == "gp" else {}
        start = {gene.name: gene.init for gene in genes}
        engine = spec.open(genes, start, 11, 100, **quick)
        go_on(name, engine, 6)
        engine.ask()
        (tmp_path / f"{name}.json").write_bytes(engine.state())
        wanted[name] = go_on(name, engine)
    here = str(Path(__file__).parent)
    command = [sys.executable, "-c", CODE, str(tmp_path), here]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    found = json.loads(done.stdout)
    assert found.keys() == wanted.keys()
    for name, seen in wanted.items():
        assert found[name] == seen, name
