"""@engine: a function that opens a search; its signature says the rest.

    @engine(title="CMA-ES", paper="https://…", kinds=("float", "int"))
    def cma_es(setup: Setup, *, sigma: Annotated[float, Range(0.05, 0.5)] = 0.2) -> Algorithm:

Keyword-only arguments are the parameters (see params.py), the docstring's last lines their help
texts. Recipes and flags write the name with dashes: cma-es. Libraries are imported in the function,
so that the list of engines needs none.
"""

from __future__ import annotations

import importlib
import inspect
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from sdmerge.errors import EngineError, UnknownEngine, nearest
from sdmerge.evolve.engine.algorithm import Algorithm, Setup
from sdmerge.evolve.engine.running import Engine, Running, go_on, read_state
from sdmerge.evolve.genes import Candidate, Gene, Kind
from sdmerge.named import Named
from sdmerge.params import Param, Scalar, details, find_param, read_params, summary

Body = Callable[..., Algorithm]
Need = Literal["prompts", "votes"]
"""A score per prompt in every Told, or scores that say what people like better."""
ALL: tuple[Kind, ...] = ("float", "int", "choice")
ONE = (1, 1)
MANY = (1, 8)


@dataclass(frozen=True, slots=True)
class EngineSpec:
    """An engine: what it is and takes, and how it is opened."""

    name: str
    title: str
    summary: str
    details: str
    paper: str
    kinds: tuple[Kind, ...]
    """The genes it takes."""
    objectives: tuple[int, int]
    """The fewest and the most scores per candidate."""
    needs: tuple[Need, ...]
    params: tuple[Param, ...]
    body: Body

    def param(self, name: str) -> Param:
        """The parameter called `name`; a MethodError with the nearest word if there is none."""
        return find_param(self.name, self.params, name)

    def values(self, given: Mapping[str, object]) -> dict[str, Scalar]:
        """Every parameter's value: as given, checked, else its default."""
        checked = {name: self.param(name).check(value) for name, value in given.items()}
        return {param.name: checked.get(param.name, param.default) for param in self.params}

    def open(
        self, genes: Sequence[Gene], start: Candidate, seed: int, budget: int, **params: object
    ) -> Engine:
        """A search from `start`; an EngineError for genes that it does not take."""
        return self._open(genes, start, seed, budget, **params)

    def restore(self, state: bytes) -> Engine:
        """The engine that wrote `state`; an EngineError if it was no engine, or another one."""
        entry = read_state(state)
        if entry.get("engine") != self.name:
            raise EngineError(f"this is the state of {entry.get('engine')}, not of {self.name}")
        return go_on(entry, self._open)

    def _open(
        self, genes: Sequence[Gene], start: Candidate, seed: int, budget: int, **params: object
    ) -> Running:
        self._check(genes, start)
        values = self.values(params)
        begin = {gene.name: start[gene.name] for gene in genes}
        setup = Setup(tuple(genes), begin, seed, budget)
        algorithm = self.body(setup, **{_argument(self.body, key): v for key, v in values.items()})
        return Running(self.name, setup, values, self.objectives, algorithm)

    def _check(self, genes: Sequence[Gene], start: Candidate) -> None:
        if not genes:
            hint = "Mark a value of the recipe with {search: [low, high], init: value}."
            raise EngineError("there is nothing to search", hint=hint)
        for gene in genes:
            if gene.kind not in self.kinds:
                others = [one.name for one in ENGINES.values() if gene.kind in one.kinds]
                what = f"{self.name} takes no {gene.kind} genes, and {gene.name} is one"
                raise EngineError(what, hint=f"These do: {', '.join(others)}.")
            if gene.name not in start or not _inside(gene, start[gene.name]):
                what = f"{gene.name} = {start.get(gene.name)!r} cannot be where a search starts"
                raise EngineError(what, hint=f"Start within {_range(gene)}.")


class Engines(Named[EngineSpec]):
    """Engines by name. A value: `add` refuses a second engine of the same name."""

    taken = EngineError

    def restore(self, state: bytes) -> Engine:
        """The engine, whichever it is, that wrote `state`."""
        return self[str(read_state(state).get("engine"))].restore(state)

    def unknown(self, name: str) -> EngineSpec:
        hint = f"{nearest(name, self)} Known: {', '.join(sorted(self))}.".strip()
        raise UnknownEngine(f"there is no engine '{name}'", hint=hint)


ENGINES = Engines()
_OURS = "sdmerge.evolve.engines"


def engine(
    *, title: str, paper: str = "", kinds: tuple[Kind, ...] = ALL,
    objectives: tuple[int, int] = ONE, needs: tuple[Need, ...] = (), registry: Engines = ENGINES,
) -> Callable[[Body], Body]:  # fmt: skip
    """Register the function as an engine; its name, with dashes, is the word in recipes."""

    def register(body: Body) -> Body:
        if registry is ENGINES and not body.__module__.startswith(_OURS):
            importlib.import_module(_OURS)  # so that a plug-in cannot take the name of one of ours
        registry.add(
            EngineSpec(
                name=body.__name__.rstrip("_").replace("_", "-"),
                title=title,
                summary=summary(body),
                details=details(body),
                paper=paper,
                kinds=kinds,
                objectives=objectives,
                needs=needs,
                params=read_params(body),
                body=body,
            )
        )
        return body

    return register


def _argument(body: Body, name: str) -> str:
    return name if name in inspect.signature(body).parameters else f"{name}_"


def _inside(gene: Gene, value: Scalar) -> bool:
    if gene.kind == "choice":
        return value in gene.choices
    if isinstance(value, str) or not math.isfinite(value):
        return False
    return gene.low <= value <= gene.high


def _range(gene: Gene) -> str:
    if gene.kind == "choice":
        return ", ".join(map(str, gene.choices))
    return f"{gene.low:g}..{gene.high:g}"
