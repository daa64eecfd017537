"""Published checkpoints at full size: the names and shapes that are written down are the models'.

On the meta device, so that nothing is allocated. What the narrow folders of test_formulas load has
the same names. Loading refuses files that lack or add a tensor.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import open_clip
import pytest
import torch
from safetensors.torch import load_file, save_file
from transformers import AutoConfig, AutoModel

from scorers import folders, layouts
from scorers.layouts import Shapes, Text, Vision
from sdmerge.errors import FileError, ScorerError
from sdmerge.scorers import SCORERS
from sdmerge.scorers.image_reward import text_model, vision_model
from sdmerge.scoring.choice import parse_choice
from sdmerge.scoring.heads import linear_head
from sdmerge.scoring.loader import Loader
from sdmerge.scoring.scorer import Judge
from sdmerge.scoring.towers import Towers, open_towers
from sdmerge.testing.scorer_laws import picture

pytestmark = pytest.mark.filterwarnings("ignore")  # others' deprecations are not ours to mend

B32 = (Text(512, 12, 2048, 49408, 77), Vision(768, 12, 3072, 224, 32), 512)
L14 = (Text(768, 12, 3072, 49408, 77), Vision(1024, 24, 4096, 224, 14), 768)
H14 = (Text(1024, 24, 4096, 49408, 77), Vision(1280, 32, 5120, 224, 14), 1024)
SIGLIP2 = (Text(768, 12, 3072, 256000, 64), Vision(768, 12, 3072, 224, 16))
DINOV2 = Vision(768, 12, 3072, 518, 14)
DINOV3 = Vision(768, 12, 3072, 224, 16)
REWARD = (Text(768, 12, 3072, 30524, 512), Vision(1024, 24, 4096, 224, 16))


def tower(one: Text | Vision, heads: int) -> dict[str, Any]:
    """The sizes as transformers' configurations name them."""
    found = {"hidden_size": one.width, "num_hidden_layers": one.layers,
             "intermediate_size": one.mlp, "num_attention_heads": heads}  # fmt: skip
    if isinstance(one, Vision):
        return {**found, "image_size": one.side, "patch_size": one.patch}
    return {**found, "vocab_size": one.words, "max_position_embeddings": one.tokens}


def clip_model(sizes: tuple[Text, Vision, int]) -> dict[str, Any]:
    text, vision, dim = sizes
    return {"model_type": "clip", "projection_dim": dim, "text_config": tower(text, 8),
            "vision_config": tower(vision, 16)}  # fmt: skip


TRANSFORMERS: dict[str, tuple[Shapes, dict[str, Any], int]] = {
    "openai/clip-vit-base-patch32": (layouts.clip(*B32), clip_model(B32), 151_277_313),
    "openai/clip-vit-large-patch14": (layouts.clip(*L14), clip_model(L14), 427_616_513),
    "yuvalkirstain/PickScore_v1": (layouts.clip(*H14), clip_model(H14), 986_109_441),
    "google/siglip2-base-patch16-224": (
        layouts.siglip(*SIGLIP2),
        {"model_type": "siglip", "text_config": {**tower(SIGLIP2[0], 12), "projection_size": 768},
         "vision_config": tower(SIGLIP2[1], 12)},
        375_187_970,
    ),
    "facebook/dinov2-base": (
        layouts.dinov2(DINOV2), {"model_type": "dinov2", **tower(DINOV2, 12)}, 86_580_480,
    ),
    "facebook/dinov3-vitb16-pretrain-lvd1689m": (
        layouts.dinov3(DINOV3, 4),
        {"model_type": "dinov3_vit", **tower(DINOV3, 12), "num_register_tokens": 4}, 85_660_416,
    ),
}  # fmt: skip
"""Names and shapes, the configuration, and how many numbers that is."""


def meta(shapes: Shapes) -> dict[str, torch.Tensor]:
    return {name: torch.empty(shape, device="meta") for name, shape in shapes.items()}


def shapes_of(weights: Mapping[str, torch.Tensor]) -> Shapes:
    return {name: tuple(rows.shape) for name, rows in weights.items()}


def count(shapes: Shapes) -> int:
    return sum(math.prod(shape) for shape in shapes.values())


@pytest.mark.parametrize("name", TRANSFORMERS)
def test_transformers_has_these_shapes(name: str) -> None:
    """As many tensors and numbers, shape by shape; names are held by loading them."""
    shapes, config, numbers = TRANSFORMERS[name]
    with torch.device("meta"):
        model = AutoModel.from_config(AutoConfig.for_model(**config))
    own = {name: rows for name, rows in model.state_dict().items() if "position_ids" not in name}
    assert sorted(shapes_of(own).values()) == sorted(shapes.values())
    assert count(shapes) == numbers


def test_hps_is_open_clips_vit_h() -> None:
    with torch.device("meta"):
        model = open_clip.CLIP(**open_clip.get_model_config("ViT-H-14"))
    shapes = layouts.open_clip(*H14)
    assert shapes_of(model.state_dict()) == shapes
    assert count(shapes) == 986_109_441


def test_image_reward_is_a_blip_of_this_size() -> None:
    shapes = layouts.image_reward(*REWARD)
    weights = meta(shapes)
    seen, read = (
        {key.removeprefix(part): rows for key, rows in weights.items() if key.startswith(part)}
        for part in ("blip.visual_encoder.", "blip.text_encoder.")
    )
    positions = read.pop("embeddings.position_ids")
    assert positions.shape == (1, 512)
    with torch.device("meta"):
        vision, text = vision_model(seen), text_model(read, width=1024)
    assert (
        count(shapes_of(dict(vision.named_parameters()))) == count(shapes_of(seen)) == 303_301_632
    )
    assert count(shapes_of(dict(text.named_parameters()))) == count(shapes_of(read))
    config: Any = vision.config
    assert (config.image_size, config.num_attention_heads) == (224, 16)
    assert text.config.num_attention_heads == 12  # pyright: ignore


def test_the_aesthetic_head_is_laions() -> None:
    shapes = layouts.head(768)
    assert {name: shape for name, shape in shapes.items() if name.endswith("weight")} == {
        "layers.0.weight": (1024, 768), "layers.2.weight": (128, 1024),
        "layers.4.weight": (64, 128), "layers.6.weight": (16, 64), "layers.7.weight": (1, 16),
    }  # fmt: skip
    head = linear_head(meta(shapes), Path("x"))
    assert count(shapes_of(dict(head.named_parameters()))) == count(shapes) == 927_969


def opened(text: str, loader: Loader | None = None) -> Judge:
    choice = parse_choice(text)
    return SCORERS[choice.scorer].open(loader or Loader(allow_pickle=True), choice)


def without(file: Path, lost: str) -> None:
    """The file again, without a tensor."""
    if file.suffix == ".safetensors":
        save_file({name: rows for name, rows in load_file(file).items() if name != lost}, file)
        return
    loaded = torch.load(file, weights_only=True)
    (loaded.get("state_dict") or loaded).pop(lost)
    torch.save(loaded, file)


LOST = {
    "clip": (folders.clip, "model.safetensors", "text_projection.weight"),
    "hps": (folders.open_clip, "HPS_v2.1_compressed.pt", "visual.proj"),
    "siglip2": (folders.siglip, "model.safetensors", "vision_model.head.probe"),
    "dino": (folders.dinov2, "model.safetensors", "layernorm.bias"),
    "image_reward": (folders.image_reward, "ImageReward.pt", "mlp.layers.4.bias"),
    "clip_rinna": (folders.rinna, "pytorch_model.bin", "text_model.embeddings.LayerNorm.bias"),
}


@pytest.mark.parametrize("name", LOST)
def test_files_that_lack_a_tensor_are_refused(name: str, tmp_path: Path) -> None:
    """The libraries would throw dice for it."""
    make, file, lost = LOST[name]
    folder, _ = make(tmp_path / "model")
    without(folder / file, lost)
    with pytest.raises(FileError) as caught:
        opened(f"{name},model={folder}")
    assert str(folder) in str(caught.value)


@pytest.mark.parametrize("name", ["hps", "image_reward", "clip_rinna"])
def test_pickles_are_read_only_with_leave(name: str, tmp_path: Path) -> None:
    folder, _ = LOST[name][0](tmp_path / "model")
    with pytest.raises(FileError, match="pickle"):
        opened(f"{name},model={folder}", Loader())


def test_what_is_no_scorers_model_is_refused(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    other = {"model_type": "bert", "hidden_size": 8}
    folders.write(tmp_path / "bert", {"a": torch.ones(1)}, config=other)
    (tmp_path / "notes.safetensors").write_text("no")
    for text in ("clip,model=empty", "clip,model=bert", "aesthetic,model=notes.safetensors",
                 "image_reward,model=empty", "oracle,model=empty", "dino,model=empty"):  # fmt: skip
        name, _, model = text.partition(",model=")
        with pytest.raises(FileError):
            opened(f"{name},model={tmp_path / model}")


CODE = """
import torch
from transformers import PretrainedConfig, PreTrainedModel


class CLYPConfig(PretrainedConfig):
    model_type = "clyp"


class CLYPModel(PreTrainedModel):
    config_class = CLYPConfig

    def __init__(self, config):
        super().__init__(config)
        self.see = torch.nn.Linear(3, 4, bias=False)
        self.read = torch.nn.Embedding(16, 4)
        self.post_init()

    def get_image_features(self, pixel_values):
        return self.see(pixel_values.mean((2, 3)))

    def get_text_features(self, input_ids, attention_mask=None, **_):
        return self.read(input_ids).sum(1)
"""


def own_code(folder: Path) -> tuple[Path, dict[str, torch.Tensor]]:
    """A model in the manner of line-corporation/clip-japanese-base."""
    weights = layouts.thrown({"see.weight": (4, 3), "read.weight": (16, 4)})
    config = {"model_type": "clyp", "architectures": ["CLYPModel"],
              "auto_map": {"AutoConfig": "modeling_clyp.CLYPConfig",
                           "AutoModel": "modeling_clyp.CLYPModel"}}  # fmt: skip
    folders.write(
        folder,
        weights,
        config=config,
        preprocessor_config=folders.processor("CLIPImageProcessor", 16),
    )
    (folder / "modeling_clyp.py").write_text(CODE, "utf-8")
    folders.word_tokenizer(folder, special=False)
    path = folder / "tokenizer_config.json"
    told = json.loads(path.read_text("utf-8")) | {"model_input_names": ["input_ids"]}
    path.write_text(json.dumps(told), "utf-8")
    return folder, weights


@pytest.mark.parametrize("name", ["clip_line", "clip_recruit"])
def test_a_models_own_code_runs_only_with_leave(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HF_MODULES_CACHE", str(tmp_path / "modules"))
    monkeypatch.setattr(
        "transformers.dynamic_module_utils.HF_MODULES_CACHE", str(tmp_path / "modules")
    )
    folder, weights = own_code(tmp_path / "clyp")
    with pytest.raises(ScorerError, match="Python code of its own") as caught:
        opened(f"{name},model={folder}")
    assert "--trust-remote-code" in caught.value.hint
    found: Towers = open_towers(Loader(trust_remote_code=True), model=str(folder))
    said = weights["read.weight"][[6, 8]].sum(0)
    assert torch.allclose(found.texts(["red circle"])[0], said / said.norm(), atol=1e-6)
    levels = picture(1, 16)
    mean = (levels.float() / 255).mean((1, 2))
    spread = torch.tensor([0.26862954, 0.26130258, 0.27577711])
    seen = weights["see.weight"] @ (
        (mean - torch.tensor([0.48145466, 0.4578275, 0.40821073])) / spread
    )
    assert torch.allclose(found.pictures([levels])[0], seen / seen.norm(), atol=1e-4)
