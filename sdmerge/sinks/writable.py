"""States of a network in which a written weight would silently not be the one it computes with."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from torch import nn

from sdmerge.errors import InputError

_CAST, _SWAPPED = "layerwise_casting", "group_offloading"
"""diffusers' hooks that store weights in another dtype, or elsewhere."""


def refuse_unwritable(name: str, module: nn.Module) -> None:
    """Nothing if weights written into `module` count as they are, else an InputError."""
    if any(tensor.is_meta for tensor in module.state_dict().values()):
        hint = "Move the pipeline to one device; sequential offload keeps weights elsewhere."
        raise InputError(f"{name} is offloaded: its weights are not where they are used", hint=hint)
    if _frozen(module):
        hint = "Compile without inductor's freezing, which keeps copies of the weights."
        raise InputError(f"{name} is compiled with its weights frozen", hint=hint)
    for part in module.modules():
        if _has_fused_projections(part):
            hint = "Call unfuse_qkv_projections() first."
            raise InputError(f"{name} has fused projections, which hide its weights", hint=hint)
        if getattr(part, "merged_adapters", None):
            raise InputError(f"{name} has a fused LoRA", hint="Call unfuse_lora() first.")
        hooks = set(_hooks(part))
        if _CAST in hooks:
            what = f"{name} stores its weights in another dtype than it computes in"
            raise InputError(what, hint="Use a pipeline without enable_layerwise_casting().")
        if _SWAPPED in hooks:
            hint = "Use enable_model_cpu_offload() instead of group offloading."
            raise InputError(
                f"{name} is offloaded in groups, which keep their own copies", hint=hint
            )


def _hooks(part: Any) -> Iterator[str]:
    registry = getattr(part, "_diffusers_hook", None)
    return iter(registry.hooks if registry is not None else ())


def _frozen(module: Any) -> bool:
    """Whether a compiled form of `module` or of a part of it may hold its weights as constants."""
    for part in module.modules():
        for way in (part, getattr(part, "_compiled_call_impl", None)):
            config = getattr(way, "get_compiler_config", None)
            if config is not None and _freezes(config() or {}):
                return True
    return False


def _freezes(config: Any) -> bool:
    from torch._inductor import config as inductor

    return bool(config.get("freezing") or inductor.freezing)  # pyright: ignore[reportAttributeAccessIssue]


def _has_fused_projections(part: nn.Module) -> bool:
    if not getattr(part, "fused_projections", False):
        return False
    # the older attention keeps the mark when it is unfused, and only its processor tells
    processor = type(getattr(part, "processor", None)).__name__
    return hasattr(part, "unfuse_projections") or processor.startswith("Fused")
