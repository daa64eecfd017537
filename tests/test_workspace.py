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
    plain, webui = tmp_path / "plain", tmp_path / "webui"
    for folder in (plain, webui / "models" / "Stable-diffusion", webui / "models" / "Lora"):
        folder.mkdir(parents=True)
    place = find_workspace(tmp_path / "own", (plain,), (webui,))
    assert place.model_roots == (
        tmp_path / "own" / "models", plain, webui / "models" / "Stable-diffusion",
        webui / "models" / "Lora", webui,
    )  # fmt: skip
    assert [host.name for host in place.writable] == ["webui"]
    assert place.hashes.is_relative_to(tmp_path / "own")
    assert not (tmp_path / "own").exists()
