"""What holds for all tests of adapters."""

from __future__ import annotations

from collections.abc import Generator

import pytest

from sdmerge.lowrank import one_thread


@pytest.fixture(autouse=True, scope="session")
def small_tensors_need_no_threads() -> Generator[None]:
    """Waking torch's threads takes longer than all there is to compute, on a busy machine."""
    with one_thread():
        yield
