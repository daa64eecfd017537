"""branch_gain: baked into weights it draws what the network draws with its branches scaled."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

import pytest
import torch
from tiny import SAMPLES, Data, canonical, cli, merged, model, planned, words
from torch import Tensor, nn

from sdmerge.errors import PlanError
from sdmerge.families import FAMILIES, SINGLE_FILE
from sdmerge.plan import Combine, Read

BASE = SAMPLES / "base"


def recipe(path: Path, **parameters: Any) -> Data:
    return {"merge_method": "branch_gain", "models": [{"model": str(path)}],
            "parameters": parameters}  # fmt: skip


def scale_branches(unet: nn.Module, gains: dict[str, float]) -> None:
    """Let what each residual branch adds count by the gain of its place: `block.branch`."""
    for name, part in unet.named_modules():
        kind, gain = type(part).__name__, gains.get(name, 1.0)
        if gain == 1.0:
            continue
        if kind == "ResnetBlock2D":
            part.register_forward_hook(_resnet(gain))
        elif kind == "Transformer2DModel":
            part.register_forward_hook(_transformer(gain))
        else:
            part.register_forward_hook(lambda _, __, out, gain=gain: gain * out)


def _resnet(gain: float) -> Any:
    def hook(block: Any, inputs: tuple[Tensor, ...], out: Tensor) -> Tensor:
        stream = inputs[0] if block.conv_shortcut is None else block.conv_shortcut(inputs[0])
        return stream + gain * (out - stream)

    return hook


def _transformer(gain: float) -> Any:
    def hook(_: Any, inputs: tuple[Tensor, ...], out: tuple[Tensor]) -> tuple[Tensor]:
        return (inputs[0] + gain * (out[0] - inputs[0]),)

    return hook


def test_the_picture_is_that_of_scaled_branches(tmp_path: Path) -> None:
    from diffusers import StableDiffusionPipeline

    text = tmp_path / "gains.yaml"
    text.write_text(f"""
merge_method: branch_gain
models: [{{model: {BASE}}}]
parameters:
  attn1: [{{filter: IN04, value: 0.3}}, {{filter: M00, value: 0.0}}]
  attn2: 1.25
  ff: [{{filter: out03-out05, value: [0.5, 0.7]}}]
  resnet: [{{filter: IN10, value: 0.0}}, {{filter: OUT11, value: 0.8}}]
  transformer: [{{filter: IN08, value: 0.4}}]
dtype: float32
""")
    assert (done := cli("merge", text, "-o", tmp_path / "baked")).code == 0, done.err
    gains = {
        "down_blocks.1.attentions.0.transformer_blocks.0.attn1": 0.3,
        "mid_block.attentions.0.transformer_blocks.0.attn1": 0.0,
        "up_blocks.1.attentions.0.transformer_blocks.0.ff": 0.5,
        "up_blocks.1.attentions.1.transformer_blocks.0.ff": 0.6,
        "up_blocks.1.attentions.2.transformer_blocks.0.ff": 0.7,
        "down_blocks.3.resnets.0": 0.0,
        "up_blocks.3.resnets.2": 0.8,
        "down_blocks.2.attentions.1": 0.4,
    }
    baked, plain = map(StableDiffusionPipeline.from_pretrained, (tmp_path / "baked", BASE))
    every = [name for name, _ in plain.unet.named_modules() if name.endswith("attn2")]
    scaled = {**gains, **dict.fromkeys(every, 1.25)}
    before = picture(plain)
    scale_branches(plain.unet, scaled)
    wanted = picture(plain)
    assert float(abs(wanted - before).max()) > 0.02
    assert float(abs(picture(baked) - wanted).max()) < 1e-5


def picture(pipeline: Any) -> Any:
    pipeline.set_progress_bar_config(disable=True)
    noise = torch.randn((1, 4, 32, 32), generator=torch.Generator().manual_seed(3))
    size = pipeline.unet.config.sample_size
    return pipeline(
        "a red circle on a blue background", num_inference_steps=3, guidance_scale=2.0,
        latents=noise[..., :size, :size], output_type="np",
    ).images  # fmt: skip


def test_one_layer_of_a_deep_transformer(tmp_path: Path) -> None:
    """SDXL's layers lie ten deep in one block: a filter by name takes one."""
    from diffusers import UNet2DConditionModel

    path = model("sdxl", 1, "diffusers", components=("unet",), dtype="float32")
    layer = "down_blocks.2.attentions.1.transformer_blocks.6"
    found = merged(recipe(path, attn1=[{"filter": f"{layer}.", "value": 0.5}],
                          ff=[{"filter": f"{layer}.", "value": 0.0}]))  # fmt: skip
    plain, baked = (UNet2DConditionModel.from_pretrained(path / "unet") for _ in range(2))
    held = baked.state_dict()
    baked.load_state_dict(
        {name: found[f"unet.{name}"].reshape(one.shape) for name, one in held.items()}
    )
    scale_branches(plain, {f"{layer}.attn1": 0.5, f"{layer}.ff": 0.0})
    wanted = forward(plain)
    assert float((forward(baked) - wanted).abs().max()) < 1e-5 * float(wanted.abs().max())


def forward(unet: Any) -> Tensor:
    draw = torch.Generator().manual_seed(5)
    width = unet.config.projection_class_embeddings_input_dim - 6 * 256
    added = {"text_embeds": torch.randn((1, width), generator=draw),
             "time_ids": torch.ones((1, 6))}  # fmt: skip
    words_ = torch.randn((1, 7, unet.config.cross_attention_dim), generator=draw)
    noise = torch.randn((1, 4, 16, 16), generator=draw)
    with torch.no_grad():
        return unet(noise, 500, words_, added_cond_kwargs=added).sample


def test_only_what_has_another_gain_is_computed() -> None:
    plan = planned(recipe(BASE, ff=[{"filter": "M00", "value": 0.5}]))
    changed = [task.key for task in plan.tasks if isinstance(task.node, Combine)]
    middle = "unet.mid_block.attentions.0.transformer_blocks.0.ff.net.2"
    assert changed == [f"{middle}.weight", f"{middle}.bias"]
    none = planned(recipe(BASE, ff=1.0))
    assert all(isinstance(task.node, Read) for task in none.tasks)
    own, found = canonical(BASE), merged(plan)
    assert torch.equal(
        found[changed[0]].reshape(-1), (own[changed[0]].float() * 0.5).to(own[changed[0]].dtype)
    )


@pytest.mark.parametrize(
    ("family", "layers", "resnets"), [("sd1", 16, 22), ("sd2", 16, 22), ("sdxl", 70, 17)]
)
def test_every_branch_of_a_unet_is_known(family: str, layers: int, resnets: int) -> None:
    known = FAMILIES.get(family)
    keys = [key for name in known.by_name for key in known.specs(name)]
    counts = Counter(filter(None, map(known.branch, keys)))
    transformers = 16 if layers == 16 else 11
    assert counts == {"attn1": 2 * layers, "attn2": 2 * layers, "ff": 2 * layers,
                      "resnet": 2 * resnets, "transformer": 2 * transformers}  # fmt: skip
    assert all(branch in {"attn1", "attn2", "ff", "resnet", "transformer"}
               for branch in known.tables["unet", SINGLE_FILE].branches.values())  # fmt: skip


def test_a_merge_and_its_layers_in_two_stages() -> None:
    """Weights first, then gains: what comes out is the merge with its projections scaled."""
    listed = [{"model": str(SAMPLES / name)} for name in ("japanese", "ukiyoe")]
    first = {"name": "both", "merge_method": "linear", "models": listed}
    both = merged([{**first, "dtype": "float32"}])
    found = merged([first, {**recipe(Path("both"), resnet=0.25), "dtype": "float32"}])
    for key, tensor in both.items():
        scaled = key.startswith("unet.") and ".resnets." in key and ".conv2." in key
        wanted = 0.25 * tensor if scaled else tensor
        assert torch.equal(found[key], wanted)


def test_blocks_from_one_model_or_the_other() -> None:
    """A number of 0 or 1 per block takes each block whole from one of two models."""
    row = [0, 1] * 13
    listed = [{"model": str(SAMPLES / name)} for name in ("japanese", "ukiyoe")]
    parameters = {"alpha": {"mbw": row}}
    found = merged({"merge_method": "weighted_sum", "models": listed, "parameters": parameters})
    sources = [canonical(SAMPLES / name) for name in ("japanese", "ukiyoe")]
    family = FAMILIES.get("sd1")
    labels = ("BASE", *family.blocks)
    for key in (key for key in found if key.startswith("unet.")):
        whose = sources[row[labels.index(family.block(key))]]
        assert torch.equal(found[key].reshape(-1), whose[key])


@pytest.mark.parametrize(
    ("parameters", "phrase"),
    [
        ({"attn1": [{"filter": "OUT00", "value": 0.5}]}, "the filter 'OUT00' takes no tensor"),
        ({"attn2": [{"filter": "vae", "value": 0.5}]}, "the filter 'vae' takes no tensor"),
    ],
)
def test_a_filter_where_the_branch_is_not(parameters: dict[str, Any], phrase: str) -> None:
    with pytest.raises(PlanError, match=phrase):
        planned(recipe(BASE, **parameters))


def test_a_model_without_such_branches() -> None:
    with pytest.raises(PlanError, match="no branch 'attn1' is known in this model"):
        planned(recipe(words(), attn1=0.5))
