"""@scorer: a function that gives one number per picture; its signature says the rest.

    @scorer(title="CLIPScore", needs=("caption",), load=open_towers)
    def clip(batch: Batch, towers: Towers, *, model: str = "openai/…", prefix: str = "") -> Tensor:

`load(loader, **parameters)` runs once and gives the body its second argument; it takes those of the
parameters that it names. Keyword-only arguments are the parameters (see params.py), the docstring's
last lines their help texts. A scorer of a `set` sees all pictures of one prompt in one batch.
"""

from __future__ import annotations

import functools
import inspect
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from sdmerge.errors import ScorerError, UnknownScorer, nearest
from sdmerge.named import Named
from sdmerge.params import Scalar, details, read_params, summary
from sdmerge.scoring.batch import Batch
from sdmerge.scoring.choice import PYTHON, Choice, checked
from sdmerge.scoring.loader import Loader
from sdmerge.scoring.spec import Need, Of, ScorerSpec, scorer_manifest

Body = Callable[..., Tensor]
_MARK = "sdmerge_scorer"


@dataclass(frozen=True, slots=True)
class Scorer:
    """A scorer with its body; `load` opens the model that the body asks."""

    spec: ScorerSpec
    body: Body
    load: Callable[..., Any] | None

    @property
    def name(self) -> str:
        """The word in recipes and after --with."""
        return self.spec.name

    def open(self, loader: Loader, choice: Choice) -> Judge:
        """The scorer with its model loaded; one that is loaded already is shared."""
        values = checked(self.spec, choice)
        loaded: tuple[Any, ...] = ()
        if self.load is not None:
            takes = _keywords(self.load)
            own = {name: values[name] for name in takes}
            loaded = (loader.once(self.load, own),)
        arguments = {name: values[_plain(name)] for name in _keywords(self.body)}
        body = functools.partial(_call, self.body, loaded, arguments)
        return Judge(choice.name or self.spec.name, self.spec, body)


@dataclass(frozen=True, slots=True)
class Judge:
    """A scorer at work."""

    name: str
    """What its column is called."""
    spec: ScorerSpec
    body: Callable[[Batch], Tensor]

    @torch.inference_mode()
    def raw(self, batch: Batch) -> Tensor:
        """The body's numbers [n], float64, on the CPU; lacking texts or references are an error."""
        self._check(batch)
        scores = self.body(batch).detach().cpu().double().reshape(-1)
        if len(scores) != len(batch):
            what = f"{self.name} gave {len(scores)} numbers for {len(batch)} pictures"
            raise ScorerError(what, hint="A scorer returns a tensor [n] for a batch of n pictures.")
        return scores

    def __call__(self, batch: Batch) -> Tensor:
        """The scores [n], float64 on the CPU, finite: degenerate pictures get the worst."""
        scores, worst = self.raw(batch), self.spec.worst
        broken = torch.tensor([bool(flag) for flag in batch.flags]) | ~torch.isfinite(scores)
        kept = torch.where(broken, worst, scores)
        return kept.clamp(min=worst) if self.spec.higher_is_better else kept.clamp(max=worst)

    def _check(self, batch: Batch) -> None:
        needs = self.spec.needs
        if "caption" in needs and not all(batch.captions):
            hint = "Give prompts with --prompts, or drop this scorer."
            raise ScorerError(f"{self.name} compares pictures with captions", hint=hint)
        if {"reference", "source"} & {*needs} and not batch.references:
            hint = "Give --references DIR, or a 'reference' in every line of the prompts."
            raise ScorerError(f"{self.name} compares pictures with references", hint=hint)


class Scorers(Named[Scorer]):
    """Scorers by name. A value: `add` refuses a second scorer of the same name."""

    taken = ScorerError

    def unknown(self, name: str) -> Scorer:
        if name.startswith(PYTHON):
            return _function(name)
        hint = nearest(name, self)
        if name in scorer_manifest():
            hint = "Load its plug-in with --plugin."
        raise UnknownScorer(f"there is no scorer '{name}'", hint=hint)


SCORERS = Scorers()


def scorer(
    *, title: str = "", paper: str = "", checkpoint: str = "", needs: tuple[Need, ...] = (),
    of: Of = "picture", load: Callable[..., Any] | None = None,
    range: tuple[float, float] = (0.0, 1.0), worst: float | None = None,  # noqa: A002  as Param's
    higher_is_better: bool = True, version: int = 1, registry: Scorers = SCORERS,
) -> Callable[[Body], Body]:  # fmt: skip
    """Register the function as a scorer; its name is the word in recipes and after --with.

    `range` is between which numbers pictures usually lie, `worst` (its worse end, unless given)
    what a degenerate picture gets. `version` counts up when the same pictures score otherwise.
    """

    def register(body: Body) -> Body:
        _check_arguments(body, load)
        low, high = range
        spec = ScorerSpec(
            name=body.__name__,
            title=title or body.__name__,
            summary=summary(body),
            details=details(body),
            paper=paper,
            checkpoint=checkpoint,
            needs=needs,
            of=of,
            range=range,
            worst=worst if worst is not None else (low if higher_is_better else high),
            higher_is_better=higher_is_better,
            version=version,
            params=read_params(body),
        )
        made = Scorer(spec, body, load)
        registry.add(made)
        setattr(body, _MARK, made)
        return body

    return register


def _check_arguments(body: Body, load: Callable[..., Any] | None) -> None:
    arguments = inspect.signature(body).parameters.values()
    positional = [one for one in arguments if one.kind is not one.KEYWORD_ONLY]
    if len(positional) != 1 + (load is not None):
        wanted = "`batch` and what load= gives" if load is not None else "`batch`"
        raise TypeError(f"{body.__name__}: the positional arguments are {wanted}")
    if load is not None and (strange := {*_keywords(load)} - {*_keywords(body)}):
        raise TypeError(f"{body.__name__}: load takes {sorted(strange)}, which it does not have")


def _call(
    body: Body, loaded: tuple[Any, ...], arguments: Mapping[str, Scalar], batch: Batch
) -> Tensor:
    return body(batch, *loaded, **arguments)


def _keywords(function: Callable[..., Any]) -> list[str]:
    parameters = inspect.signature(function).parameters.values()
    return [one.name for one in parameters if one.kind is one.KEYWORD_ONLY]


def _plain(name: str) -> str:
    return name.rstrip("_")


def _function(name: str) -> Scorer:
    """The scorer that a recipe calls python:module:function.

    Its module has to be loaded and the function marked as a scorer: a recipe may come out of any
    file, and must not choose what is run.
    """
    module, _, function = name.removeprefix(PYTHON).partition(":")
    loaded = sys.modules.get(module) or sys.modules.get(f"sdmerge_plugin_{module}")
    found: Any = getattr(getattr(loaded, function, None), _MARK, None) if function else None
    if not isinstance(found, Scorer):
        hint = "Mark it with @scorer, load its file with --plugin, and write python:FILE:FUNCTION."
        raise UnknownScorer(f"there is no scorer '{name}'", hint=hint)
    return found
