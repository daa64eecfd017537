"""By hand: a search whose candidates are judged by people, or by a program of the user's.

Asked batches wait in the study until they are told. Scores of one batch are compared with each
other; a higher one is better.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from sdmerge.errors import InputError
from sdmerge.evolve.exam import Evaluation
from sdmerge.evolve.genes import Told
from sdmerge.evolve.ledger import Entry, Generation, Journal, Key, Ledger, Row, State, Trial
from sdmerge.evolve.run.options import Objective, Options
from sdmerge.evolve.run.searched import EngineOf, Searched

COLUMN = "told"
OBJECTIVE = Objective("told", ((COLUMN, 1.0),))
_EXAM = "by hand"


@dataclass(slots=True)
class ByHand:
    """A study that is claimed, and worked on batch by batch."""

    ledger: Ledger
    space: Searched
    engine: EngineOf
    options: Options

    def asked(self) -> State:
        """The batch that waits; the first one if nothing was asked yet."""
        state = self.ledger.state()
        if state is not None:
            return state
        options = self.options
        engine = self.engine.open(
            self.space.genes, self.space.init, options.seed, 0, **options.params
        )
        state = State(0, 0, tuple(engine.ask()), engine.state())
        self.ledger.save_state(state)
        return state

    def tell(self, scores: Mapping[int, float], journal: Journal) -> State:
        """Tell the engine a score per slot of the batch that waits; the next batch."""
        state = self.asked()
        if missing := sorted(set(range(len(state.asked))) ^ set(scores)):
            slots = ", ".join(map(str, missing))
            hint = f"Tell one score for each of 0 to {len(state.asked) - 1}."
            raise InputError(f"slots {slots} do not match what was asked", hint=hint)
        number = state.generation
        rows = [
            Row(Key("candidate", number, slot), _EXAM, one,
                evaluation=Evaluation({COLUMN: ((scores[slot],),)}))
            for slot, one in enumerate(state.asked)
        ]  # fmt: skip
        self.ledger.record(*rows)
        engine = self.engine.restore(state.engine)
        engine.ask()
        engine.tell([Told(one, (scores[slot],)) for slot, one in enumerate(state.asked)])
        for slot, one in enumerate(state.asked):
            journal.add(Trial("candidate", number, slot, (scores[slot],), one))
        top = max(scores, key=lambda slot: (scores[slot], -slot))
        entries = tuple(
            Entry(slot, "kept", (scores[slot],), (scores[slot],)) for slot in sorted(scores)
        )
        favourite = engine.centre() or state.asked[top]
        self.ledger.close(Generation(number, entries, favourite, scores[top]))
        after = State(number + 1, 0, tuple(engine.ask()), engine.state())
        self.ledger.save_state(after)
        return after
