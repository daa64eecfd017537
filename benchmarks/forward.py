"""When networks are at work: the rest of the time is what everything around them costs."""

from __future__ import annotations

import contextlib
import functools
import time
from collections.abc import Callable, Generator
from dataclasses import dataclass, field, replace
from typing import Any

from sdmerge.scoring.panel import Panel


@dataclass
class Forward:
    """When the networks were at work, in whatever thread."""

    spans: list[tuple[float, float]] = field(default_factory=list[tuple[float, float]])

    def watched(self, call: Callable[..., Any]) -> Callable[..., Any]:
        """The call, with its time noted."""

        @functools.wraps(call)
        def timed(*arguments: Any, **options: Any) -> Any:
            begin = time.perf_counter()
            try:
                return call(*arguments, **options)
            finally:
                self.spans.append((begin, time.perf_counter()))

        return timed

    def scoring(self, panel: Panel) -> Panel:
        """The panel, its scorers watched."""
        judges = [replace(judge, body=self.watched(judge.body)) for judge in panel.judges]
        return Panel(tuple(judges))

    @contextlib.contextmanager
    def drawing(self) -> Generator[None]:
        """Every UNet's and VAE's pass counts."""
        from diffusers import AutoencoderKL, UNet2DConditionModel

        places = ((UNet2DConditionModel, "forward"), (AutoencoderKL, "decode"))
        own = [getattr(kind, name) for kind, name in places]
        for (kind, name), call in zip(places, own, strict=True):
            setattr(kind, name, self.watched(call))
        try:
            yield
        finally:
            for (kind, name), call in zip(places, own, strict=True):
                setattr(kind, name, call)

    def seconds(self) -> float:
        """Time in which at least one of them worked."""
        total, end = 0.0, 0.0
        for begin, stop in sorted(self.spans):
            total += max(0.0, stop - max(begin, end))
            end = max(end, stop)
        return total
