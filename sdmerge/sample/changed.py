"""A pipeline whose weights are changed as it runs, by differences that stay factored.

A layer's output y = W x becomes W x + Σ ΔWₖ (mₖ ⊙ x), mₖ being a model's column merger: a number
per input channel. No weight is copied, and of ΔWₖ = B·A only A and B are kept.
"""

# pyright: reportUnknownMemberType=false

from __future__ import annotations

import contextlib
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from sdmerge.fit import Change
from sdmerge.lowrank import Factors

Changes = Mapping[str, Sequence[Change | None]]
Apply = Callable[[Tensor], Tensor]
Layer = nn.Linear | nn.Conv2d


class Changed:
    """The changes of a pipeline's weights, at work while `hooked` lasts.

    `mergers` are by weight and place, all ones at first; they take part as long as no model is
    `alone`. What is no weight of a layer is added whole.
    """

    def __init__(
        self, layers: Mapping[str, Layer], parameters: Mapping[str, nn.Parameter], changes: Changes
    ) -> None:
        self._layers = {key: layers[key] for key in changes if key in layers}
        self._others = [
            _Other(parameters[key], changes[key])
            for key in changes
            if key in parameters and key not in layers
        ]
        self._applied = {
            key: {
                place: _applied(layer, change)
                for place, change in enumerate(changes[key])
                if change is not None
            }
            for key, layer in self._layers.items()
        }
        self.mergers = {
            key: {place: nn.Parameter(_ones(self._layers[key])) for place in applied}
            for key, applied in self._applied.items()
        }
        self._alone: int | None = None

    @contextlib.contextmanager
    def hooked(self) -> Generator[None]:
        """The changes are at work: all of them, through their mergers."""
        with contextlib.ExitStack() as stack:
            for key, layer in self._layers.items():
                hook = layer.register_forward_hook(self._adder(key))
                stack.callback(hook.remove)
            stack.callback(self._add_others, ())
            self._add_others(None)
            yield

    @contextlib.contextmanager
    def alone(self, place: int) -> Generator[None]:
        """Only the changes of the model at `place` are at work, as they are."""
        self._alone = place
        self._add_others([place])
        try:
            yield
        finally:
            self._alone = None
            self._add_others(None)

    def _add_others(self, places: Sequence[int] | None) -> None:
        for other in self._others:
            other.add(places)

    def _adder(self, key: str) -> Callable[[nn.Module, Any, Tensor], Tensor]:
        def add(layer: nn.Module, inputs: Any, output: Tensor) -> Tensor:
            del layer
            for place, apply in self._applied[key].items():
                if self._alone is None:
                    output = output + apply(inputs[0] * self.mergers[key][place])
                elif self._alone == place:
                    output = output + apply(inputs[0])
            return output

        return add


class _Other:
    """A parameter that is no layer's weight, such as a bias, and its changes."""

    def __init__(self, parameter: nn.Parameter, changes: Sequence[Change | None]) -> None:
        self._parameter = parameter
        self._start = parameter.detach().clone()
        self._changes = {
            place: _dense(change).reshape(parameter.shape).to(parameter)
            for place, change in enumerate(changes)
            if change is not None
        }

    def add(self, places: Sequence[int] | None) -> None:
        """Add the changes of these models to the start; None: of all."""
        whole = self._start.clone()
        for place in self._changes if places is None else places:
            if place in self._changes:
                whole += self._changes[place]
        self._parameter.data.copy_(whole)


def layers_of(parts: Iterator[tuple[str, nn.Module]]) -> Mapping[str, Layer]:
    """The linear and convolution layers of one input, by the key of their weight."""
    return {
        key: layer
        for key, layer in parts
        if isinstance(layer, nn.Linear) or (isinstance(layer, nn.Conv2d) and layer.groups == 1)
    }


def _ones(layer: Layer) -> Tensor:
    """A merger of ones that broadcasts against the layer's input."""
    weight = layer.weight
    shape = (weight.shape[1], *[1] * (weight.dim() - 2))
    return torch.ones(shape, dtype=weight.dtype, device=weight.device)


def _applied(layer: Layer, change: Change) -> Apply:
    """The map x ↦ ΔW x, without the layer's bias."""
    if not isinstance(change, Factors):
        return _through(layer, change.reshape(layer.weight.shape).to(layer.weight))
    up = (change.up * change.scale).to(layer.weight)
    down = change.down.to(layer.weight)
    shape = layer.weight.shape
    first = _through(layer, down.reshape(-1, *shape[1:]))
    last = up.reshape(*up.shape, *[1] * (len(shape) - 2))
    if isinstance(layer, nn.Linear):
        return lambda x: functional.linear(first(x), last)
    return lambda x: functional.conv2d(first(x), last)


def _through(layer: Layer, weight: Tensor) -> Apply:
    if isinstance(layer, nn.Linear):
        return lambda x: functional.linear(x, weight)
    return lambda x: functional.conv2d(x, weight, None, layer.stride, layer.padding, layer.dilation)


def _dense(change: Change) -> Tensor:
    return (change.up @ change.down) * change.scale if isinstance(change, Factors) else change
