"""The lines of the table: which model or merge is asked for what, and how."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from itertools import product

from samples.train.measure import ENGLISH, FEW, JAPANESE, PREFIXED, USUAL, Prompts, Sampler

PARENTS = ("japanese", "ukiyoe", "distilled", "distractor")


@dataclass(frozen=True, slots=True)
class Model:
    """The base plus weighted differences of other checkpoints, and LoRAs at full strength."""

    title: str
    deltas: Mapping[str, float] = field(default_factory=dict[str, float])
    loras: tuple[str, ...] = ()

    def __hash__(self) -> int:
        return hash(self.title)


@dataclass(frozen=True, slots=True)
class Row:
    """A line of the table, or of a sheet of pictures: one model, asked in one way."""

    model: Model
    prompts: Prompts
    style: str = ""  # meant by the prompts; what is drawn is the same for each
    sampler: Sampler = USUAL
    subject: str = ""  # asked for instead of the triples' shapes

    @property
    def drawn(self) -> "Row":
        """The line whose pictures serve this one too: only the style meant differs."""
        return replace(self, style="")

    @property
    def title(self) -> str:
        """The line's name in `figures.json`."""
        asked = f"{self.prompts.title}, {self.subject}" if self.subject else self.prompts.title
        return f"{self.model.title} | {asked} | {self.sampler} | {self.style}"


BASE = Model("base")
SOLO = {name: Model(name, {name: 1.0}) for name in PARENTS}
SOUP = Model("½ japanese + ½ ukiyoe", {"japanese": 0.5, "ukiyoe": 0.5})
SPOILED_SOUP = Model(
    "⅓ japanese + ⅓ ukiyoe + ⅓ distractor",
    {"japanese": 1 / 3, "ukiyoe": 1 / 3, "distractor": 1 / 3},
)
SUM = Model("base + 1.0 Δjapanese + 1.0 Δukiyoe", {"japanese": 1.0, "ukiyoe": 1.0})
SOFTER_SUM = Model("base + 1.0 Δjapanese + 0.8 Δukiyoe", {"japanese": 1.0, "ukiyoe": 0.8})
SPOILED_SUM = Model(
    "base + 1.0 Δjapanese + 1.0 Δukiyoe + 0.5 Δdistractor",
    {"japanese": 1.0, "ukiyoe": 1.0, "distractor": 0.5},
)
FAST_SUM = Model(
    "base + 1.0 Δjapanese + 0.8 Δukiyoe + 0.3 Δdistilled",
    {"japanese": 1.0, "ukiyoe": 0.8, "distilled": 0.3},
)
OVERVIEW = {BASE: "plain", **dict.fromkeys(SOLO.values(), "plain")} | {
    SOLO["ukiyoe"]: "ukiyoe",
    SUM: "ukiyoe",
    SOFTER_SUM: "ukiyoe",
    FAST_SUM: "ukiyoe",
}
"""The models that are asked everything, each with its own style."""


def rows() -> Iterator[Row]:
    """All lines, in the table's order."""
    for model, style in OVERVIEW.items():
        for sampler, prompts in product((USUAL, FEW), (ENGLISH, JAPANESE)):
            yield Row(model, prompts, style, sampler)
    yield Row(SOLO["japanese"], PREFIXED, "plain")
    # what only a merge can do
    for model in (BASE, SOLO["japanese"], SOLO["distilled"]):
        yield Row(model, JAPANESE, "ukiyoe")
        yield Row(model, JAPANESE, "ukiyoe", FEW)
    for model in (BASE, SOLO["japanese"], SOLO["ukiyoe"], SOUP, SUM, SOFTER_SUM):
        yield Row(model, PREFIXED, "ukiyoe")
    for model in (SOUP, SPOILED_SOUP, SPOILED_SUM):
        yield Row(model, JAPANESE, "ukiyoe")
    yield Row(Model("base with few_step", loras=("few_step",)), ENGLISH, "plain", FEW)
    yield Row(BASE, ENGLISH, "plain", subject="torii")
    yield Row(Model("base with torii", loras=("torii",)), ENGLISH, "plain", subject="torii")
    yield Row(BASE, ENGLISH, "pop")
    for lora in ("pop", "pop_dora", "pop_locon"):
        yield Row(Model(f"base with {lora}", loras=(lora,)), ENGLISH, "pop")


ROWS = [*rows()]
