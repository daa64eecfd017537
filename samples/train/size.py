"""How much of everything: all of it, or a small share to try whether the scripts run."""

import os

SHARE = float(os.environ.get("SAMPLES_SHARE", "1"))


def scaled(count: int, least: int = 1) -> int:
    """The share of `count` that is asked for."""
    return max(least, round(SHARE * count))
