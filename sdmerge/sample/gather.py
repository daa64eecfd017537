"""Gather what a running network shows: the inputs of its layers, the gradients of its losses."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Generator, Iterable, Mapping
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from sdmerge.fit import Keep


def squared_gradients(
    parameters: Mapping[str, nn.Parameter], losses: Iterable[Callable[[], Tensor]]
) -> dict[str, Tensor]:
    """Per parameter the sum of the squared gradients of each loss."""
    sums = {key: torch.zeros_like(parameter) for key, parameter in parameters.items()}
    for parameter in parameters.values():
        parameter.requires_grad_(True)
    for loss in losses:
        with torch.enable_grad():
            found = torch.autograd.grad(loss(), list(parameters.values()), allow_unused=True)
        for key, gradient in zip(parameters, found, strict=True):
            if gradient is not None:  # pyright: ignore[reportUnnecessaryComparison]  allow_unused
                sums[key] += gradient.square()
    return {key: total.detach() for key, total in sums.items()}


@contextlib.contextmanager
def watched(
    layers: Iterable[tuple[str, nn.Module]], kept: Mapping[str, Keep], sums: dict[str, Tensor]
) -> Generator[None]:
    """Every layer in `kept` adds what is kept of its inputs to `sums` while this lasts."""
    with contextlib.ExitStack() as stack:
        for key, layer in layers:
            if key in kept:
                hook = layer.register_forward_pre_hook(_gatherer(key, kept[key], sums))
                stack.callback(hook.remove)
        yield


def _gatherer(key: str, keep: Keep, sums: dict[str, Tensor]) -> Callable[[nn.Module, Any], None]:
    def gather(layer: nn.Module, inputs: Any) -> None:
        rows = _rows(layer, inputs[0].detach().float())
        if rows is not None:
            found = keep(rows).double()
            sums[key] = sums[key] + found if key in sums else found

    return gather


def _rows(layer: nn.Module, x: Tensor) -> Tensor | None:
    """A layer's inputs as rows: each is multiplied with the whole of a row of its weights."""
    if isinstance(layer, nn.Linear):
        return x.reshape(-1, x.shape[-1])
    if not isinstance(layer, nn.Conv2d) or layer.groups != 1 or isinstance(layer.padding, str):
        return None
    cut = functional.unfold(x, layer.kernel_size, layer.dilation, layer.padding, layer.stride)  # pyright: ignore[reportArgumentType]
    return cut.movedim(1, 2).reshape(-1, cut.shape[1])
