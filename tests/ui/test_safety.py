"""Who is answered, and what nobody gets to see."""

from __future__ import annotations

import json
import urllib.error
import urllib.request
from pathlib import Path

import pytest
from sdmerge_ui.api import NAMES
from sdmerge_ui.place import Place, checked_name
from tiny import ROOT, cli

from sdmerge.errors import InputError
from sdmerge.workspace import Workspace


def answer(address: str, **headers: str) -> tuple[int, bytes]:
    try:
        with urllib.request.urlopen(urllib.request.Request(address, headers=headers)) as found:
            return found.status, found.read()
    except urllib.error.HTTPError as error:
        with error:
            return error.code, error.read()


def test_only_eight_functions_are_public(app: str) -> None:
    status, body = answer(f"{app}/gradio_api/info")
    assert status == 200
    told = json.loads(body)
    assert set(told["named_endpoints"]) == {f"/{name}" for name in NAMES}
    assert not told["unnamed_endpoints"]


@pytest.mark.parametrize(
    "path", ["/etc/passwd", str(ROOT / "pyproject.toml"), "../../../../etc/passwd"]
)
def test_files_outside_are_not_served(app: str, place: Place, path: str) -> None:
    for asked in (path, f"{place.previews}/../../{path.lstrip('/')}"):
        status, body = answer(f"{app}/gradio_api/file={asked}")
        assert status in (403, 404)
        assert b"root:" not in body


def test_other_names_of_this_machine_are_not_answered(app: str) -> None:
    assert answer(f"{app}/config", Host="evil.example")[0] == 421
    assert answer(f"{app}/config", Host="localhost:1")[0] == 200


@pytest.mark.parametrize(
    "flags",
    [
        ["--listen"],
        ["--listen", "--auth", "me"],
        ["--auth", "me:"],
        ["--listen", "--auth", "me:word", "--mcp"],  # Gradio asks MCP clients for no password
    ],
)
def test_nobody_listens_without_a_password(flags: list[str]) -> None:
    said = cli("ui", *flags)
    assert said.code == 2
    assert "--auth" in said.err


@pytest.mark.parametrize("name", ["../x", "a/b", "", ".hidden", "a\\b", "x" * 200])
def test_names_are_no_paths(name: str) -> None:
    with pytest.raises(InputError, match="is not a name"):
        checked_name(name)


def test_links_do_not_lead_out(tmp_path: Path) -> None:
    place = Place(Workspace(tmp_path / "workspace"))
    place.workspace.models.mkdir(parents=True)
    outside = tmp_path / "outside.safetensors"
    outside.write_bytes(b"x")
    (place.workspace.models / "in.safetensors").symlink_to(outside)
    for name in ("in.safetensors", str(outside), "../outside.safetensors", "~/x"):
        with pytest.raises(InputError, match="outside of the folders of models"):
            place.parse(f"merge_method: linear\nmodels: [{{model: {name}}}]\n")
        assert place.entry(name) is None
    with pytest.raises(InputError, match="outside of the folders of models"):
        place.parse(
            "merge_method: linear\nmodels: [{model: a}]\ncomponents: {vae: {take: /etc/passwd}}\n"
        )
