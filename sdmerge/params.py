"""Params: one declaration of a parameter, read by YAML checks, flags, sliders and searches.

A parameter is a keyword-only argument of a method. Its annotation carries the range, its docstring
line the help text, its default the default. This module imports no torch, so that the command line
can show and check parameters without it.
"""

from __future__ import annotations

import inspect
import re
import sys
import typing
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Annotated, Any, Literal, TypeVar, get_args, get_origin

from sdmerge.errors import MethodError, nearest

Kind = Literal["float", "int", "bool", "choice", "text", "lines", "pictures"]
Scalar = bool | int | float | str
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Range:
    """What a slider shows and a search explores; `limits` is what is allowed, if that is wider."""

    low: float
    high: float
    step: float | None = None
    log: bool = False
    limits: tuple[float, float] | None = None

    @property
    def allowed(self) -> tuple[float, float]:
        """The smallest and the largest value that is not an error."""
        return self.limits or (self.low, self.high)


@dataclass(frozen=True, slots=True)
class Mergekit:
    """mergekit's default, where it is not ours: a recipe that relies on it is told so."""

    default: Scalar


@dataclass(frozen=True, slots=True)
class AToB:
    """Says that 0 gives the first model and 1 the second, whatever the other parameters are."""


@dataclass(frozen=True, slots=True)
class _PerModel:
    pass


@dataclass(frozen=True, slots=True)
class _OfBranch:
    pass


WORDS: Mapping[Kind, str] = {
    "text": "text",
    "lines": "a file or a list of lines",
    "pictures": "a folder of pictures",
}
"""Kinds that are written as text, and what is written."""

FILES: tuple[Kind, ...] = ("lines", "pictures")
"""Those of them that lie in files; they may differ from model to model."""

_SWITCH = {"true": True, "yes": True, "on": True, "1": True,
           "false": False, "no": False, "off": False, "0": False}  # fmt: skip

PerModel = Annotated[T, _PerModel()]
"""One value per model. In a method's body numbers broadcast against the stacked inputs; of lines
there is a tuple."""


@dataclass(frozen=True, slots=True)
class _Lines:
    pass


Lines = Annotated[str, _Lines()]
"""Lines of text, such as prompts: a file in the recipe, or a list of them. Methods get the text."""


@dataclass(frozen=True, slots=True)
class _Pictures:
    pass


Pictures = Annotated[str, _Pictures()]
"""A folder of pictures, each with its caption in a .txt beside it, or "" for none. Methods get an
address, behind which `models.pictures` finds them."""

Fraction = Annotated[float, Range(0.0, 1.0)]
Blend = Annotated[float, Range(0.0, 1.0), AToB()]
Share = Annotated[float, Range(0.0, 1.5, limits=(0.0, 4.0))]
Strength = Annotated[float, Range(0.0, 1.5, limits=(-4.0, 4.0))]
Scale = Annotated[float, Range(0.0, 2.0, limits=(-4.0, 4.0))]
Gain = Annotated[float, Range(0.0, 1.5, limits=(-4.0, 4.0)), _OfBranch()]
"""A factor for the residual branches of the parameter's name: 0 skips them, 1 leaves them."""


@dataclass(frozen=True, slots=True)
class Param:
    """A parameter as users meet it. `doc` is shown in errors, in `--help` and under sliders."""

    name: str
    kind: Kind
    default: Scalar
    doc: str
    range: Range | None = None
    choices: tuple[str, ...] = ()
    per_model: bool = False
    mergekit: Scalar | None = None
    a_to_b: bool = False
    of_branch: bool = False
    """Whether it is for what the residual branches of its name add, and leaves other tensors."""

    def check(self, value: object) -> Scalar:
        """`value` as this parameter's type; a MethodError in words if it does not fit."""
        if self.kind == "choice":
            return self._check_choice(value)
        if self.kind in WORDS:
            if isinstance(value, str):
                return value
            raise self._wrong(value, WORDS[self.kind])
        if self.kind == "bool":
            if isinstance(value, bool):
                return value
            if value in (0, 1):
                return bool(value)
            raise self._wrong(value, "true or false")
        if isinstance(value, bool) or not isinstance(value, int | float):
            raise self._wrong(value, "a number")
        return self._check_number(value)

    def _check_choice(self, value: object) -> str:
        if isinstance(value, str) and value in self.choices:
            return value
        hint = nearest(value, self.choices) if isinstance(value, str) else ""
        raise self._wrong(value, f"one of {', '.join(self.choices)}", hint)

    def _check_number(self, value: float) -> float | int:
        if self.range is not None:
            low, high = self.range.allowed
            if not low <= value <= high:
                what = f"{self.name} = {value!r} is outside {low:g}..{high:g}"
                raise MethodError(what, hint=self.doc)
        elif not abs(value) <= sys.float_info.max:
            raise self._wrong(value, "a finite number")
        if self.kind == "int" and value != int(value):
            raise self._wrong(value, "a whole number")
        return int(value) if self.kind == "int" else float(value)

    def _wrong(self, value: object, wanted: str, hint: str = "") -> MethodError:
        return MethodError(f"{self.name} = {value!r} should be {wanted}", hint=hint or self.doc)

    def parse(self, text: str) -> Scalar:
        """The value that a command line or an axis spells as `text`."""
        if self.kind == "bool":
            return self.check(_SWITCH.get(text.lower(), text))
        if self.kind == "choice" or self.kind in WORDS:
            return self.check(text)
        try:
            return self.check(float(text))
        except ValueError:
            raise self._wrong(text, "a number") from None


def find_param(owner: str, params: Iterable[Param], name: str) -> Param:
    """The parameter called `name`; a MethodError with the nearest word if there is none."""
    known = {param.name: param for param in params}
    if name in known:
        return known[name]
    takes = ", ".join(known) or "no parameters"
    hint = f"{nearest(name, known)} It takes: {takes}.".strip()
    raise MethodError(f"{owner} has no parameter '{name}'", hint=hint)


def read_params(function: Callable[..., Any]) -> tuple[Param, ...]:
    """The parameters that `function`'s keyword-only arguments declare.

    Each needs a default within its limits and a docstring line `name: text`; what is missing is a
    TypeError, raised when the module is imported, because only the method's author can mend it.
    """
    hints = typing.get_type_hints(function, include_extras=True)
    docs = _docs(function)
    arguments = inspect.signature(function).parameters.values()
    params = [
        _param(argument, hints[argument.name], docs, function.__name__)
        for argument in arguments
        if argument.kind is argument.KEYWORD_ONLY
    ]
    stray = set(docs) - {param.name for param in params}
    if stray:
        raise TypeError(
            f"{function.__name__}: the docstring describes {sorted(stray)}, which it does not take"
        )
    return tuple(params)


def _param(argument: inspect.Parameter, hint: Any, docs: dict[str, str], owner: str) -> Param:
    # a trailing underscore keeps Python's reserved words usable (`lambda_`); users never see it
    name = argument.name.rstrip("_")
    if argument.default is argument.empty:
        raise TypeError(f"{owner}: parameter {argument.name} needs a default")
    if name not in docs:
        raise TypeError(f"{owner}: parameter {argument.name} needs a docstring line '{name}: …'")
    extras: tuple[Any, ...] = ()
    while get_origin(hint) is Annotated:
        hint, *more = get_args(hint)
        extras += tuple(more)
    choices = tuple(get_args(hint)) if get_origin(hint) is Literal else ()
    param = Param(
        name=name,
        kind="choice" if choices else _kind(hint, extras, owner, name),
        default=argument.default,
        doc=docs[name],
        range=next((extra for extra in extras if isinstance(extra, Range)), None),
        choices=choices,
        per_model=any(isinstance(extra, _PerModel) for extra in extras),
        mergekit=next((extra.default for extra in extras if isinstance(extra, Mergekit)), None),
        a_to_b=any(isinstance(extra, AToB) for extra in extras),
        of_branch=any(isinstance(extra, _OfBranch) for extra in extras),
    )
    if param.per_model and param.kind not in ("float", "int", *FILES):
        what = "so it must be a number, lines or pictures"
        raise TypeError(f"{owner}: parameter {name} is per model, {what}")
    try:
        param.check(param.default)
    except MethodError as error:
        raise TypeError(f"{owner}: the default of {error.what}") from None
    return param


def _kind(hint: Any, extras: tuple[Any, ...], owner: str, name: str) -> Kind:
    kinds: dict[Any, Kind] = {float: "float", int: "int", bool: "bool", str: "text"}
    if hint not in kinds:
        raise TypeError(
            f"{owner}: parameter {name} has type {hint}; use float, int, bool, str or Literal"
        )
    if any(isinstance(extra, _Lines) for extra in extras):
        return "lines"
    return "pictures" if any(isinstance(extra, _Pictures) for extra in extras) else kinds[hint]


def summary(function: Callable[..., Any]) -> str:
    """The first paragraph of the docstring, on one line."""
    text = inspect.getdoc(function) or ""
    return " ".join(text.split("\n\n")[0].split())


def details(function: Callable[..., Any]) -> str:
    """The docstring's paragraphs between the summary and the parameter lines."""
    paragraphs = (inspect.getdoc(function) or "").split("\n\n")[1:]
    return "\n\n".join(part for part in paragraphs if not _PARAM_LINE.match(part))


_PARAM_LINE = re.compile(r"(?P<name>[a-z][a-z0-9_]*): (?P<text>.*)", re.DOTALL)


def _docs(function: Callable[..., Any]) -> dict[str, str]:
    """Docstring lines `name: text` of the last paragraph; deeper lines continue the one above."""
    paragraphs = (inspect.getdoc(function) or "").split("\n\n")
    found: dict[str, str] = {}
    name = ""
    for line in paragraphs[-1].splitlines() if len(paragraphs) > 1 else []:
        match = _PARAM_LINE.match(line)
        if match and not line.startswith(" "):
            name = match["name"]
            found[name] = match["text"].strip()
        elif name:
            found[name] += " " + line.strip()
    return found
