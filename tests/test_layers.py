"""Imports go one way: read from the source, and tried on sources that break each rule."""

from __future__ import annotations

import ast
import functools
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

PACKAGE = Path(__file__).resolve().parents[1] / "sdmerge"

ORDER = [
    "errors", "named", "locked", "claim", "written", "jsonl", "album", "params", "manifest",
    "recipe", "tensors", "bounds", "lowrank", "spectrum", "families", "adapters", "masks", "sketch",
    "kronecker", "magnitudes", "rounding", "storing", "place", "compiled", "tally", "whole",
    "method", "fit", "together", "symmetry", "consensus", "rows", "shares", "methods", "plan",
    "scratch", "factored", "operands", "engine", "fitting", "sinks", "merge", "live", "embedding",
    "scoring", "scorers", "hosts", "workspace", "demo", "targets", "inventory", "confine", "verify",
    "lora", "sample", "batch", "votes", "evolve", "plugins", "analysis", "jobs", "testing", "cli",
    "__main__",
]  # fmt: skip
"""A module imports what stands to its left. The package itself only passes names on."""

PLURAL = ("sdmerge.methods", "sdmerge.scorers", "sdmerge.evolve.engines")
"""Folders that one adds to: their files do not know each other."""

HEAVY = {
    "sdmerge": {"gradio"},
    "sdmerge.methods": {"diffusers", "transformers"},
    "sdmerge.tensors": {"diffusers", "transformers"},
    "sdmerge.families": {"diffusers", "transformers"},
    "sdmerge.recipe": {"torch", "numpy", "diffusers", "transformers"},
    "sdmerge.params": {"torch", "numpy"},
    "sdmerge.manifest": {"torch", "numpy"},
    "sdmerge.errors": {"torch", "numpy"},
    "sdmerge.named": {"torch", "numpy"},
    "sdmerge.album": {"torch", "numpy"},
    "sdmerge.scoring.spec": {"torch", "numpy"},
    "sdmerge.scoring.choice": {"torch", "numpy"},
    "sdmerge.scoring.prompts": {"torch", "numpy"},
    "sdmerge.scoring.statistics": {"torch"},
    "sdmerge.jsonl": {"torch", "numpy"},
    "sdmerge.sample.grid": {"torch", "numpy"},
    "sdmerge.sample.viewer": {"torch", "numpy"},
    "sdmerge.votes": {"torch"},
    "sdmerge.evolve.genes": {"torch", "numpy"},
    "sdmerge.evolve.statistics": {"torch"},
    "sdmerge.evolve.engine": {"torch"},
    "sdmerge.evolve.engines": {"torch"},
    "sdmerge.evolve.engine.spec": {"numpy", "cmaes", "optuna"},
    "sdmerge.evolve.numbers": {"torch", "numpy"},
    "sdmerge.evolve.settings": {"torch", "numpy"},
    "sdmerge.evolve.space": {"torch", "numpy"},
    "sdmerge.evolve.ledger": {"torch", "numpy"},
    "sdmerge.evolve.run": {"torch"},
    "sdmerge.jobs.model": {"torch", "numpy"},
}
ALLOWED = {"sdmerge.families.build": {"diffusers", "transformers"}}

Sources = Mapping[str, str]


def sources() -> dict[str, str]:
    """Module name → text; a package goes by its own name."""
    found: dict[str, str] = {}
    for path in sorted(PACKAGE.rglob("*.py")):
        name = ".".join(("sdmerge", *path.relative_to(PACKAGE).with_suffix("").parts))
        found[name.removesuffix(".__init__")] = path.read_text("utf-8")
    return found


@functools.cache
def written(text: str) -> tuple[tuple[int, str, tuple[str, ...]], ...]:
    """Every import of a file, wherever it stands: dots before, module, names taken from it."""
    found: list[tuple[int, str, tuple[str, ...]]] = []
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.Import):
            found += [(0, alias.name, ()) for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            names = tuple(alias.name for alias in node.names)
            found.append((node.level, node.module or "", names))
    return tuple(found)


def imports(module: str, text: str, known: Sources) -> Iterator[str]:
    """Every module that `module` imports; names that are modules count as such."""
    # a package's own file stands one level higher than it is named
    is_package = any(name.startswith(f"{module}.") for name in known)
    for dots, name, taken in written(text):
        above = module.split(".")[: -dots + is_package or None] if dots else []
        base = ".".join([*above, *filter(None, [name])])
        yield from [f"{base}.{one}" for one in taken if f"{base}.{one}" in known] or [base]


def within(module: str, package: str) -> bool:
    return module == package or module.startswith(f"{package}.")


def layer(module: str) -> str:
    return module.split(".", 2)[1] if "." in module else ""


def family_files(known: Sources) -> set[str]:
    """The files of the families that the registry knows."""
    registry = "sdmerge.families.registry"
    found = set(imports(registry, known.get(registry, ""), known))
    return {name for name in found if within(name, "sdmerge.families")} - {
        "sdmerge.families.family"
    }


def violations(known: Sources) -> list[str]:
    """What goes the wrong way, in words."""
    families = family_files(known)
    return [
        f"{module} imports {target}"
        for module, text in known.items()
        for target in imports(module, text, known)
        if goes_up(module, target) or goes_aside(module, target, families) or weighs(module, target)
    ]


def goes_up(module: str, target: str) -> bool:
    """Whether the target stands to the right, or is the package that passes names on."""
    if not within(target, "sdmerge") or module == "sdmerge":
        return False
    if target == "sdmerge":
        return True
    return ORDER.index(layer(target)) > ORDER.index(layer(module))


def goes_aside(module: str, target: str, families: set[str]) -> bool:
    """Whether both are siblings among things that one adds to."""
    if module in families and target in families:
        return module != target
    (folder, _, file), (other, _, sibling) = module.rpartition("."), target.rpartition(".")
    return folder == other and folder in PLURAL and file != sibling


def weighs(module: str, target: str) -> bool:
    """Whether the target is a library that this part of sdmerge does without."""
    library = target.partition(".")[0]
    if any(within(module, package) and library in may for package, may in ALLOWED.items()):
        return False
    return any(within(module, package) and library in not_ for package, not_ in HEAVY.items())


def test_imports_go_one_way() -> None:
    assert violations(sources()) == []


def test_every_module_has_its_place() -> None:
    assert {layer(name) for name in sources()} - {""} == set(ORDER)


def test_the_families_are_found() -> None:
    assert {"sdmerge.families.sd1", "sdmerge.families.sdxl"} <= family_files(sources())


@pytest.mark.parametrize(
    ("module", "text", "said"),
    [
        ("sdmerge.recipe.read", "import sdmerge.plan.build", "sdmerge.plan.build"),
        ("sdmerge.recipe.read", "from sdmerge.plan import Plan", "sdmerge.plan"),
        (
            "sdmerge.recipe.read",
            "def f():\n    from sdmerge.tensors.spec import X",
            "sdmerge.tensors.spec",
        ),
        ("sdmerge.recipe.read", "from sdmerge import tensors", "sdmerge.tensors"),
        ("sdmerge.recipe.read", "from ..tensors import spec", "sdmerge.tensors.spec"),
        ("sdmerge.recipe", "from ..tensors import spec", "sdmerge.tensors.spec"),
        ("sdmerge.recipe.read", "import torch", "torch"),
        ("sdmerge.recipe.read", "import sdmerge", "sdmerge"),
        ("sdmerge.merge", "from sdmerge import run", "sdmerge"),
        ("sdmerge.errors", "from sdmerge.params import Range", "sdmerge.params"),
        ("sdmerge.method", "from sdmerge.methods import METHODS", "sdmerge.methods"),
        ("sdmerge.methods.ties", "from sdmerge.methods.dare import drop", "sdmerge.methods.dare"),
        ("sdmerge.methods.ties", "from sdmerge.methods import dare", "sdmerge.methods.dare"),
        ("sdmerge.methods.ties", "from . import dare", "sdmerge.methods.dare"),
        ("sdmerge.methods.ties", "import diffusers.models", "diffusers.models"),
        ("sdmerge.families.sdxl", "from sdmerge.families.sd1 import SD1", "sdmerge.families.sd1"),
        ("sdmerge.families.parts", "import transformers", "transformers"),
        ("sdmerge.tensors.store", "if 1:\n    import diffusers", "diffusers"),
        ("sdmerge.cli.main", "import gradio as gr", "gradio"),
    ],
)
def test_what_goes_the_wrong_way_is_found(module: str, text: str, said: str) -> None:
    known = sources()
    planted = {**known, module: f"{known[module]}\n{text}\n"}
    assert violations(planted) == [f"{module} imports {said}"]


@pytest.mark.parametrize(
    ("module", "text"),
    [
        ("sdmerge.families.build.trace", "import diffusers"),
        ("sdmerge.methods", "from sdmerge.methods import ties, dare"),
        ("sdmerge.families.registry", "from sdmerge.families.sd1 import SD1"),
        ("sdmerge.cli.main", "from sdmerge.errors import InputError"),
        ("sdmerge", "from sdmerge.merge import run"),
        ("sdmerge.recipe.read", "from . import write"),
    ],
)
def test_what_goes_the_right_way_is_left_alone(module: str, text: str) -> None:
    known = sources()
    assert violations({**known, module: f"{known[module]}\n{text}\n"}) == []


def test_a_new_module_needs_a_place() -> None:
    with pytest.raises(ValueError, match="card"):
        violations({**sources(), "sdmerge.card": "import sdmerge.recipe"})


def test_recipes_are_read_and_checked_without_torch() -> None:
    """In a process of its own: here, torch is loaded already."""
    code = """
import sys
import sdmerge, sdmerge.cli.main
from sdmerge.manifest import manifest
from sdmerge.recipe import parse_recipe, to_yaml, recipe_id
recipe = parse_recipe("merge_method: ties\\nbase_model: a\\nmodels: [{model: b}]")
recipe_id(recipe), to_yaml(recipe), manifest()["ties"].param("weight").check(1)
print(*sorted({name.split(".")[0] for name in sys.modules}))
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    loaded = set(done.stdout.split())
    assert "yaml" in loaded
    assert not loaded & {
        "torch",
        "numpy",
        "diffusers",
        "transformers",
        "safetensors",
        "gradio",
        "PIL",
    }
