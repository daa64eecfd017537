"""Settings: ranks and alphas as PEFT keeps them, apart from the tensors."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass

from sdmerge.adapters.lora.parts import MAGNITUDE, Parts, rank_of, scale_of


@dataclass(frozen=True, slots=True)
class Adapted:
    """A module of one network: its name in it, rank, alpha, and whether it is a DoRA."""

    name: str
    rank: int
    alpha: float
    dora: bool

    @classmethod
    def of(cls, name: str, parts: Parts) -> Adapted:
        """The settings of a LoRA or DoRA."""
        rank = rank_of(parts)
        return cls(name, rank, scale_of(parts) * rank, MAGNITUDE in parts)


def adapter_config(modules: Mapping[str, Adapted]) -> dict[str, object]:
    """PEFT's LoraConfig for one network, of `modules` by the pattern that means each.

    What most modules have stands for all, the rest is in `rank_pattern` and `alpha_pattern`.
    """
    ranks = Counter(module.rank for module in modules.values())
    alphas = Counter(module.alpha for module in modules.values())
    rank, alpha = ranks.most_common(1)[0][0], alphas.most_common(1)[0][0]
    return {
        "peft_type": "LORA",
        "r": rank,
        "lora_alpha": _plain(alpha),
        "rank_pattern": {
            pattern: module.rank for pattern, module in modules.items() if module.rank != rank
        },
        "alpha_pattern": {
            pattern: _plain(module.alpha)
            for pattern, module in modules.items()
            if module.alpha != alpha
        },
        "target_modules": [module.name for module in modules.values()],
        "use_dora": any(module.dora for module in modules.values()),
        "use_rslora": False,
        "lora_bias": False,
        "bias": "none",
        "fan_in_fan_out": False,
        "init_lora_weights": True,
        "lora_dropout": 0.0,
    }


def _plain(alpha: float) -> int | float:
    """A whole number as one, which is how PEFT's own configurations have it."""
    return int(alpha) if alpha.is_integer() else alpha
