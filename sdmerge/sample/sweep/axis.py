"""Axes as people write them: PATH=start:stop:step, PATH=a,b,c or PATH=@FILE with a value per line.

    parameters.t=0:1:0.25                             from 0 to 1, both included
    t={preset: GRAD_V},{preset: GRAD_A}               commas in brackets or quotes do not divide
    models[ja].parameters.weight=0.4,0.8
    merge_method=slerp,nuslerp
    steps=4,8    sampler=DDIM,Euler a    size=512x512,768x512
    model=a.safetensors,recipe.yaml    seed=1:4:1
    prompt=@prompts.txt                               also JSONL {prompt, caption, reference}
    prompt=a boat,a castle,, by the sea               a comma that does not divide is written twice

`seed` is that of the noise; `recipe.seed` is the recipe's own, for random masks. Imports no torch.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path

from sdmerge.errors import InputError, RecipeError, nearest
from sdmerge.params import Scalar
from sdmerge.recipe.aliases import aliases
from sdmerge.recipe.nodes import parse_yaml
from sdmerge.sample.grid import Axis, Value
from sdmerge.sample.settings import SAMPLING, check_setting, read_size
from sdmerge.scoring.prompts import Line, read_prompts

MOST = 10_000
"""Cells of a grid, and so values of an axis."""
OWN_RECIPE = "recipe."
_RANGE = re.compile(r"\s*([^:\s]+)\s*:\s*([^:\s]+)\s*(?::\s*([^:\s]+)\s*)?")
_NUMBER = re.compile(r"[-+]?(\d+\.?\d*|\.\d+)(e[-+]?\d+)?", re.IGNORECASE)
_MODEL = re.compile(r"(?:(?P<stage>[^.\[\]]+)\.)?models\[(?P<model>[^\]]+)\]\.(?P<rest>.+)")
_OPEN, _CLOSE, _QUOTES = "([{", ")]}", "\"'"
_TEXTS = ("prompt", "negative_prompt", "model")
"""What may hold brackets that are never closed."""


@dataclass(frozen=True, slots=True)
class Part:
    """What one value of an axis says of a cell; those of all axes together say everything."""

    model: str = ""
    settings: tuple[str, ...] = ()
    """PATH=VALUE of the recipe, as `--set` takes them."""
    sampling: Mapping[str, Scalar] = field(default_factory=dict[str, Scalar])
    line: Line | None = None
    seed: int | None = None

    def __or__(self, other: Part) -> Part:
        """Both; where they say the same thing, `other` counts."""
        return Part(
            other.model or self.model,
            self.settings + other.settings,
            {**self.sampling, **other.sampling},
            other.line or self.line,
            self.seed if other.seed is None else other.seed,
        )


@dataclass(frozen=True, slots=True)
class Side:
    """An axis that is to be drawn; `parts` belong to the axis' values, `where` is for messages."""

    axis: Axis
    parts: tuple[Part, ...]
    where: str = ""

    @property
    def changes_recipe(self) -> bool:
        """Whether its values are put into the recipe."""
        return bool(self.parts[0].settings)


def read_axis(text: str, where: str = "", folders: Sequence[Path] = ()) -> Side:
    """The axis that `text` means. Files are looked for in `folders` and in the working folder."""
    where = where or text
    path, equals, values = text.partition("=")
    path = path.strip()
    if not equals or not path:
        hint = "For example parameters.t=0:1:0.25, steps=4,8 or prompt=@prompts.txt."
        raise InputError("an axis is PATH=VALUES", where=where, hint=hint)
    source = _file(values.strip()[1:], where, folders) if values.strip().startswith("@") else None
    if path == "prompt" and source is not None:
        return prompts_axis(read_prompts(source), where)
    texts = _lines(source) if source is not None else _values(path, values, where)
    if path == "prompt":
        return prompts_axis([Line(one, one) for one in texts], where)
    if path == "model":
        return models_axis(texts, where)
    return _scalars(path, texts, where)


def prompts_axis(lines: Sequence[Line], where: str = "") -> Side:
    """An axis of prompts."""
    values = tuple(line.prompt for line in lines)
    return _side("prompt", values, [Part(line=line) for line in lines], where)


def seeds_axis(seeds: Sequence[int], where: str = "") -> Side:
    """An axis of seeds of the noise."""
    return _side("seed", tuple(seeds), [Part(seed=seed) for seed in seeds], where)


def models_axis(models: Sequence[str], where: str = "") -> Side:
    """An axis of models and recipes, called by their files' names."""
    plain = [model.rstrip("/\\") for model in models]
    short = [re.sub(r"\.ya?ml$", "", one, flags=re.IGNORECASE) for one in plain]
    labels = tuple(aliases([(None, one) for one in short]))
    return _side("model", tuple(plain), [Part(model=one) for one in plain], where, labels)


def _scalars(path: str, texts: Sequence[str], where: str) -> Side:
    parts: list[Part] = []
    values: list[Value] = []
    read = _reader(path)
    for text in texts:
        try:
            value, part = read(text)
        except InputError as error:
            raise type(error)(error.what, where=where, hint=error.hint) from None
        values.append(value)
        parts.append(part)
    return _side(path, tuple(values), parts, where)


def _reader(path: str) -> Callable[[str], tuple[Value, Part]]:
    """What makes a value of `path` and what it says of a cell from its text."""
    if path == "seed":
        return _seed
    if path == "size":
        return _size
    if path in SAMPLING:
        return lambda text: _setting(path, text)
    address = path.removeprefix(OWN_RECIPE)
    return lambda text: (_plain(text, path), Part(settings=(f"{address}={text}",)))


def _seed(text: str) -> tuple[Value, Part]:
    if not text.isdecimal():
        raise InputError(f"'{text}' is no seed", hint="Seeds are whole numbers from 0 on.")
    return int(text), Part(seed=int(text))


def _size(text: str) -> tuple[Value, Part]:
    width, height = read_size(text)
    return f"{width}x{height}", Part(sampling={"width": width, "height": height})


def _setting(name: str, text: str) -> tuple[Value, Part]:
    value = check_setting(name, text if name == "sampler" else SAMPLING[name].parse(text))
    return value, Part(sampling={name: value})


def _plain(text: str, path: str) -> Value:
    """A value of a recipe as a cell keeps it: what is not one number or word, as it is written."""
    nodes = parse_yaml(text, path)
    value = nodes[0].value if nodes else None
    if isinstance(value, dict | list):
        return text
    # 0.5:2:0.5 and 1,2 mean the same cells
    return int(value) if isinstance(value, float) and value.is_integer() else value


def _side(
    path: str, values: tuple[Value, ...], parts: Sequence[Part], where: str,
    labels: tuple[str, ...] = (),
) -> Side:  # fmt: skip
    try:
        return Side(Axis(_name(path), values, labels, path), tuple(parts), where)
    except InputError as error:
        raise InputError(error.what, where=where, hint=error.hint) from None


def _name(path: str) -> str:
    """Short for people: 't', 'weight[ja]'."""
    if found := _MODEL.fullmatch(path):
        stage = f"{found['stage']} " if found["stage"] else ""
        return f"{stage}{found['rest'].removeprefix('parameters.')}[{found['model']}]"
    return path.removeprefix("parameters.")


def _values(path: str, text: str, where: str) -> list[str]:
    span = None if path in _TEXTS else _RANGE.fullmatch(text)
    if span is not None and all(_NUMBER.fullmatch(part) for part in span.groups() if part):
        return _range(span, where)
    texts = [part.strip() for part in _split(text, brackets=path not in _TEXTS)]
    if not all(texts):
        hint = "Write PATH=a,b,c; a comma that belongs to a value is written twice."
        raise InputError("has an empty value", where=where, hint=hint)
    return texts


def _range(found: re.Match[str], where: str) -> list[str]:
    if found[3] is None:
        hint = f"Write {found[1]}:{found[2]}:STEP."
        raise InputError("a range is start:stop:step", where=where, hint=hint)
    start, stop, step = (Decimal(part) for part in found.groups())
    steps = (stop - start) / step if step else Decimal(-1)
    if steps < 0:
        hint = f"From {start} to {stop} the step is {'less' if stop < start else 'more'} than 0."
        raise InputError("is an empty range", where=where, hint=hint)
    if steps >= MOST:
        what = f"has {int(steps) + 1:,} values; a grid has {MOST:,} cells at most"
        raise InputError(what, where=where, hint="Make the step longer.")
    return [f"{start + step * n:f}" for n in range(int(steps) + 1)]


def _split(text: str, *, brackets: bool) -> Iterator[str]:
    """The parts between commas; not within brackets and quotes, and not at a double comma."""
    part, depth, quote, place = "", 0, "", 0
    while place < len(text):
        letter = text[place]
        place += 1
        if letter == "," and not depth and not quote:
            if text[place : place + 1] != ",":
                yield part
                part = ""
                continue
            place += 1
        elif brackets and quote:
            quote = "" if letter == quote else quote
        elif brackets and letter in _QUOTES:
            quote = letter
        elif brackets:
            depth = max(0, depth + (letter in _OPEN) - (letter in _CLOSE))
        part += letter
    yield part


def _lines(path: Path) -> list[str]:
    return [line.prompt for line in read_prompts(path)]


def _file(name: str, where: str, folders: Sequence[Path]) -> Path:
    for folder in (*folders, Path()):
        if (path := folder / name).is_file():
            return path
    raise InputError(f"there is no file '{name}'", where=where)


def explain(error: RecipeError, side: Side) -> RecipeError:
    """`error` of a recipe that has the axis' values in it, as an error of the axis."""
    path = side.axis.path
    words = ("model", "prompt", "seed", "size", *SAMPLING)
    near = nearest(path, words)
    hint = f"{error.hint} {near}".strip()
    return RecipeError(error.what, where=side.where, hint=hint)
