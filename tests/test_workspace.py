"""Where a workspace lies: an option, a variable, or the system's place for a user's data."""

from __future__ import annotations

from pathlib import Path

import platformdirs
import pytest

from sdmerge.workspace import VARIABLE, find_workspace


def test_the_option_wins_over_the_variable(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(VARIABLE, str(tmp_path / "variable"))
    assert find_workspace(tmp_path / "option").folder == tmp_path / "option"
    assert find_workspace().folder == tmp_path / "variable"
    monkeypatch.delenv(VARIABLE)
    assert find_workspace().folder == Path(platformdirs.user_data_dir("sdmerge"))


def test_home_is_understood(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    assert find_workspace(Path("~/sd")).folder == tmp_path / "sd"


def test_own_models_come_before_those_of_others(tmp_path: Path) -> None:
    place = find_workspace(tmp_path, (Path("/a"), Path("/b")))
    assert place.model_roots == (tmp_path / "models", Path("/a"), Path("/b"))
    assert place.hashes.is_relative_to(tmp_path)
    assert not list(tmp_path.iterdir())
