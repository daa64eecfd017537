"""What holds for all tests of operations on LoRAs."""

from __future__ import annotations

import pytest
import torch


@pytest.fixture(autouse=True)
def same_numbers() -> None:
    """Every test draws the same numbers."""
    torch.manual_seed(0)
