"""Models for tests of bad input."""

from __future__ import annotations

from pathlib import Path

import pytest

from bad_input.little import little


@pytest.fixture(scope="module")
def three(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """Three small models of no known family, float16."""
    folder = tmp_path_factory.mktemp("three")
    return [little(folder / f"{name}.safetensors", seed) for seed, name in enumerate("abc")]
