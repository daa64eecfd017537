"""Branches: where a network adds something to its stream, read from its modules.

diffusers builds its networks of a few residual blocks. Each adds what one or more branches make of
the stream; a branch ends in a layer that is linear, so scaling that layer scales the branch.
"""

# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false
# pyright: reportUnknownArgumentType=false
from __future__ import annotations

from collections.abc import Iterator

from torch import nn

from sdmerge.families.build.networks import network_of
from sdmerge.families.family import Component, Config

Branch = tuple[str, str, nn.Module]
"""Its name, that of its last layer within the block, and that layer."""


def outputs_of(component: Component, config: Config) -> dict[str, str]:
    """Per parameter of the last layer of a residual branch, the branch's name."""
    found: dict[str, str] = {}
    for name, block in network_of(component, config).named_modules():
        for branch, last, layer in _branches(block):
            for key, _ in layer.named_parameters():
                found[f"{name}.{last}.{key}"] = branch
    return found


def _branches(block: nn.Module) -> Iterator[Branch]:
    """The branches of a residual block; those of a transformer's layer bear its own names."""
    kind = type(block).__name__
    if kind == "ResnetBlock2D":
        yield "resnet", "conv2", block.get_submodule("conv2")
    elif kind == "Transformer2DModel":
        yield "transformer", "proj_out", block.get_submodule("proj_out")
    elif kind == "BasicTransformerBlock":
        for name, part in block.named_children():
            if (last := _last_layer(part)) is not None:
                yield name, f"{name}.{last}", part.get_submodule(last)


def _last_layer(part: nn.Module) -> str | None:
    kind = type(part).__name__
    if kind == "Attention":
        return "to_out.0"
    if kind != "FeedForward":
        return None
    layers = [name for name, layer in part.named_modules() if isinstance(layer, nn.Linear)]
    return layers[-1]
