"""An engine at work: asks and tells in turn, and a state from which it goes on exactly."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Protocol

from sdmerge.errors import EngineError, SdmergeError
from sdmerge.evolve.engine.algorithm import Algorithm, Setup
from sdmerge.evolve.engine.memory import pack, unpack
from sdmerge.evolve.genes import Candidate, Gene, Told
from sdmerge.params import Scalar

FORMAT = 1


class Engine(Protocol):
    """A search as whoever evaluates sees it."""

    @property
    def objectives(self) -> int:
        """How many scores per candidate it can use."""
        ...

    def ask(self) -> list[Candidate]:
        """The batch to evaluate, complete; the same one until it is told."""
        ...

    def tell(self, told: Sequence[Told]) -> None:
        """What came of the batch last asked, in its order; anything else is an EngineError."""
        ...

    def centre(self) -> Candidate | None:
        """Where the search has its mean, if it has one."""
        ...

    def state(self) -> bytes:
        """JSON from which `restore` makes an engine that decides the same from here on."""
        ...


@dataclasses.dataclass(slots=True)
class Running:
    """An Engine around an algorithm; `objectives` are the fewest and the most that it takes."""

    name: str
    setup: Setup
    params: Mapping[str, Scalar]
    limits: tuple[int, int]
    algorithm: Algorithm
    asked: list[Candidate] = dataclasses.field(default_factory=list[Candidate])

    @property
    def objectives(self) -> int:
        """The most that it takes."""
        return self.limits[1]

    def ask(self) -> list[Candidate]:
        if not self.asked:
            self.asked = self.algorithm.ask()
        return [dict(candidate) for candidate in self.asked]

    def tell(self, told: Sequence[Told]) -> None:
        if not self.asked or [dict(one.candidate) for one in told] != self.asked:
            hint = "Tell the batch last asked, whole and in its order."
            raise EngineError(f"{self.name} was told what it had not asked", hint=hint)
        fewest, most = self.limits
        counts = {len(one.scores) for one in told}
        if len(counts) > 1 or not fewest <= counts.pop() <= most:
            wanted = f"{fewest}" if fewest == most else f"{fewest} to {most}"
            what = f"{self.name} takes {wanted} score{'s' * (most > 1)} per candidate"
            raise EngineError(what, hint="'sdmerge engines' lists what each takes.")
        self.algorithm.tell(told)
        self.asked = []

    def centre(self) -> Candidate | None:
        return self.algorithm.centre()

    def state(self) -> bytes:
        entry = {
            "format": FORMAT,
            "engine": self.name,
            "genes": [dataclasses.asdict(gene) for gene in self.setup.genes],
            "start": dict(self.setup.start),
            "seed": self.setup.seed,
            "budget": self.setup.budget,
            "params": dict(self.params),
            "asked": [dict(candidate) for candidate in self.asked],
            "memory": pack(self.algorithm.memory()),
        }
        return json.dumps(entry, ensure_ascii=False).encode()


def read_state(state: bytes) -> dict[str, Any]:
    """A state's entries; an EngineError for what is none, or of another format."""
    try:
        entry = json.loads(state)
        if entry["format"] != FORMAT:
            raise EngineError(
                f"an engine's state has format {entry['format']}, and this sdmerge reads {FORMAT}",
                hint="Go on with the version of sdmerge that wrote it.",
            )
    except (ValueError, KeyError, TypeError) as error:
        raise EngineError("this is not the state of an engine") from error
    return entry


def _gene(entry: dict[str, Any]) -> Gene:
    choices = tuple(entry.pop("choices"))
    return Gene(**entry, choices=choices)


def go_on(entry: Mapping[str, Any], make: Callable[..., Running]) -> Running:
    """The engine that a state describes; `make` opens a fresh one, as EngineSpec.open does."""
    try:
        genes = [_gene(gene) for gene in entry["genes"]]
        made = make(genes, entry["start"], entry["seed"], entry["budget"], **entry["params"])
        made.algorithm.recall(unpack(entry["memory"]))
        made.asked = list(entry["asked"])
    except SdmergeError:
        raise
    except (ValueError, KeyError, TypeError, AttributeError, IndexError) as error:
        what = f"an engine's state is damaged: {type(error).__name__}: {error}"
        raise EngineError(what) from error
    return made
