"""Model folders of other tools: which are found, in which order, and what is said of missing ones.

The order of a list is that of ComfyUI's own reader, written down here from its source.
"""

from __future__ import annotations

import os
from pathlib import Path

import pytest
import yaml
from tiny import cli

from sdmerge.errors import InputError
from sdmerge.hosts import read_hosts


def tree(root: Path, *folders: str) -> Path:
    for folder in folders:
        (root / folder).mkdir(parents=True, exist_ok=True)
    return root


def kinds(path: Path) -> list[tuple[str, str]]:
    (host,) = read_hosts([path])
    return [(one.kind, one.path.relative_to(host.top).as_posix()) for one in host.folders]


def test_trees_are_known_by_their_layout(tmp_path: Path) -> None:
    webui = tree(
        tmp_path / "webui", "models/Stable-diffusion", "models/Lora", "models/VAE",
        "models/text_encoder", "models/ESRGAN", "models/ControlNet", "embeddings", "outputs",
    )  # fmt: skip
    expected = [
        ("checkpoints", "models/Stable-diffusion"), ("loras", "models/Lora"),
        ("vae", "models/VAE"), ("text_encoders", "models/text_encoder"),
        ("embeddings", "embeddings"),
    ]  # fmt: skip
    assert kinds(webui) == expected
    assert read_hosts([webui])[0].title == "A1111 / Forge"
    bare = [(kind, path.removeprefix("models/")) for kind, path in expected[:-1]]
    assert kinds(webui / "models") == bare
    assert read_hosts([webui / "models"])[0].name == "webui"
    comfy = tree(
        tmp_path / "ComfyUI", "models/checkpoints", "models/unet", "models/diffusion_models",
        "models/loras", "models/vae", "models/clip", "models/text_encoders", "models/embeddings",
        "models/upscale_models", "custom_nodes",
    )  # fmt: skip
    assert kinds(comfy) == [
        ("checkpoints", "models/checkpoints"), ("diffusion_models", "models/unet"),
        ("diffusion_models", "models/diffusion_models"), ("loras", "models/loras"),
        ("vae", "models/vae"), ("text_encoders", "models/text_encoders"),
        ("text_encoders", "models/clip"), ("embeddings", "models/embeddings"),
    ]  # fmt: skip
    plain = tree(tmp_path / "plain", "checkpoints", "anime")
    assert kinds(plain) == [("", ".")]  # a folder that happens to be called so tells nothing


def test_names_are_their_own(tmp_path: Path) -> None:
    given = [tree(tmp_path / name, "models/checkpoints") for name in ("a/ComfyUI", "b/ComfyUI")]
    assert [host.name for host in read_hosts(given)] == ["ComfyUI", "ComfyUI#2"]


LIST = """\
comfyui:
    base_path: {root}/comfy
    checkpoints: models/checkpoints/
    clip: models/clip
    diffusion_models: |
        models/diffusion_models
        models/unet
    custom_nodes: custom_nodes
nothing:
a111:
    base_path: $WEBUI
    is_default: true
    checkpoints: models/Stable-diffusion
    loras: |
         models/Lora
         models/LyCORIS
    upscale_models: |
         models/ESRGAN
other:
    loras: ../more/loras
    vae: {root}/vae
"""


def as_comfy_reads(text: str, file: Path) -> dict[str, list[str]]:
    """Folders per kind: what is there of what ComfyUI's `load_extra_path_config` adds."""
    found: dict[str, list[str]] = {}
    for section in yaml.safe_load(text).values():
        values = dict(section or {})
        base = os.path.expandvars(values.pop("base_path", str(file.parent)))
        front = values.pop("is_default", False)
        for word, lines in values.items():
            row = found.setdefault("text_encoders" if word == "clip" else word, [])
            for line in filter(None, lines.split("\n")):
                path = Path(base, line).resolve()
                if path.is_dir():
                    row.insert(0 if front else len(row), str(path))
    return found


def test_a_list_is_read_as_comfyui_does(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    tmp_path = tmp_path.resolve()
    monkeypatch.setenv("WEBUI", str(tmp_path / "webui"))
    tree(tmp_path / "comfy", "models/checkpoints", "models/clip", "models/unet",
         "models/diffusion_models", "custom_nodes")  # fmt: skip
    tree(tmp_path / "webui", "models/Stable-diffusion", "models/Lora", "models/LyCORIS",
         "models/ESRGAN")  # fmt: skip
    tree(tmp_path, "more/loras", "vae", "conf")
    file = tmp_path / "conf" / "extra_model_paths.yaml"
    text = LIST.format(root=tmp_path.as_posix())
    file.write_text(text)
    hosts = read_hosts([file])
    assert [host.name for host in hosts] == ["a111", "comfyui", "other"]
    found: dict[str, list[str]] = {}
    for one in (one for host in hosts for one in host.folders):
        found.setdefault(str(one.kind), []).append(str(one.path))
    expected = as_comfy_reads(text, file)
    assert found == {kind: row for kind, row in expected.items() if kind in found}
    assert set(expected) - set(found) == {"custom_nodes", "upscale_models"}
    assert found["loras"][0].endswith("LyCORIS")  # put in front one by one


@pytest.mark.parametrize(
    ("text", "what", "line"),
    [
        ("a111:\n  base_path: nowhere\n  loras: x\n", "there is no folder", 2),
        ("a111:\n  loras: x\n", "none of the folders of 'a111' is there", 1),
        ("a111:\n  upscale_models: .\n", "none of the folders of 'a111' is there", 1),
        ("a111:\n  base_path: .\n  loras: [x, y]\n", "loras should be a text", 3),
        ("a111: [x]\n", "should be a mapping", 1),
        ("# only this\n", "lists no folders", 0),
        ("a111: {\n", "this is not YAML", 2),
    ],
)
def test_a_list_that_leads_nowhere(tmp_path: Path, text: str, what: str, line: int) -> None:
    file = tmp_path / "extra_model_paths.yaml"
    file.write_text(text)
    with pytest.raises(InputError, match=what) as caught:
        read_hosts([file])
    assert caught.value.where == (f"{file}:{line}" if line else str(file))


def test_what_is_not_there_is_told_before_anything_is_done(tmp_path: Path) -> None:
    said = cli("--models", str(tmp_path / "gone" / "models"), "inspect", "nothing")
    assert said.code == 2
    assert f"{tmp_path / 'gone' / 'models'}: there is no such folder of models" in said.err
    assert f"There is {tmp_path}, without 'gone'" in said.err
    (tmp_path / "x.safetensors").write_bytes(b"")
    with pytest.raises(InputError, match="is no folder of models"):
        read_hosts([tmp_path / "x.safetensors"])
