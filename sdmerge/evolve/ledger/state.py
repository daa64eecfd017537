"""state.bin: the engine, and what it asked last. It is replaced as a whole, or not at all."""

from __future__ import annotations

import base64
import json
from dataclasses import asdict, dataclass
from pathlib import Path

from sdmerge.errors import CorruptFile
from sdmerge.evolve.genes import Candidate
from sdmerge.evolve.ledger.rows import Entry
from sdmerge.written import write


@dataclass(frozen=True, slots=True)
class State:
    """Where a search stands: `asked` are the candidates from `slot` of `generation` on.

    engine: The engine after it asked them, as Engine.state gives it.
    entries: What became of the generation's earlier candidates.
    """

    generation: int
    slot: int
    asked: tuple[Candidate, ...]
    engine: bytes
    entries: tuple[Entry, ...] = ()


def save(path: Path, state: State) -> None:
    """Put `state` on the disk; a run that is killed meanwhile leaves the one before."""
    data = {
        "generation": state.generation,
        "slot": state.slot,
        "asked": [dict(one) for one in state.asked],
        "engine": base64.b64encode(state.engine).decode(),
        "entries": [asdict(one) for one in state.entries],
    }
    write(path, json.dumps(data, ensure_ascii=False).encode(), sync=True)


def load(path: Path) -> State | None:
    """The state in `path`; None if there is none yet."""
    if not path.is_file():
        return None
    try:
        data = json.loads(path.read_bytes())
        engine = base64.b64decode(data["engine"], validate=True)
        entries = tuple(Entry.from_data(one) for one in data["entries"])
        asked = tuple(data["asked"])
        return State(int(data["generation"]), int(data["slot"]), asked, engine, entries)
    except (KeyError, TypeError, ValueError) as error:
        hint = "Take the study from a copy; its scores are in evaluations.jsonl."
        raise CorruptFile(f"is no state of a search: {error}", where=str(path), hint=hint) from None
