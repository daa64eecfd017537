"""Models that do not fit together: the message names them, and no file is left."""

from __future__ import annotations

from pathlib import Path

from tiny import cli, edited, listing, load, model, recipe, unet, words

from bad_input.little import LAYER, linear, refused


def test_wrong_family(tmp_path: Path) -> None:
    said = linear(unet(), model("sdxl", components=("unet",)), out=tmp_path / "x.safetensors")
    refused(said, "'sdxl-unet-float16-1' is Stable Diffusion XL", "is Stable Diffusion 1")
    refused(said, "no tensors in common")
    assert listing(tmp_path) == []


def test_nine_channels_against_four(tmp_path: Path) -> None:
    inpaint = model("sd1", components=("unet",), variant="inpaint")
    said = linear(unet(), inpaint, out=tmp_path / "x.safetensors")
    refused(said, "1 tensor of 686", "unet.conv_in.weight", "4, 3, 3] against", "9, 3, 3]")
    refused(said, f"'{inpaint.stem}' takes 9 input channels", "inpainting", "with its kind")
    assert listing(tmp_path) == []


def test_other_widths(tmp_path: Path) -> None:
    name = "cond_stage_model.transformer.text_model.embeddings.token_embedding.weight"
    cut = edited(words(2), tmp_path / "in" / "cut.safetensors", **{name: load(words(2))[name][:9]})
    said = linear(words(), cut, out=tmp_path / "x.safetensors")
    refused(said, "1 tensor of 36", "token_embedding.weight [49408", "[9,", "models of one size")
    assert listing(tmp_path) == ["in", "in/cut.safetensors"]


def test_missing_tensor(tmp_path: Path) -> None:
    gone = "model.diffusion_model.middle_block.1.norm.weight"
    broken = edited(unet(2), tmp_path / "in" / "broken.safetensors", **{gone: None})
    said = linear(unet(), broken, out=tmp_path / "x.safetensors")
    refused(said, str(broken), "lacks 1 tensor (1 of unet;", "fetch it again")
    refused(said, "unet.mid_block.attentions.0.norm.weight")
    assert listing(tmp_path) == ["in", "in/broken.safetensors"]


def test_missing_tensor_of_a_component_that_is_taken(tmp_path: Path) -> None:
    gone = "cond_stage_model.transformer.text_model.final_layer_norm.bias"
    broken = edited(words(2), tmp_path / "in" / "broken.safetensors", **{gone: None})
    text = f"""
merge_method: linear
models: [{{model: {words()}}}]
components: {{text_encoder: {{take: {broken}}}}}
"""
    said = cli("merge", recipe(tmp_path / "r.yaml", text), "-o", tmp_path / "x.safetensors")
    refused(said, str(broken), "lacks 1 tensor", "text_encoder.final_layer_norm.bias")
    assert "x.safetensors" not in listing(tmp_path)


def test_missing_tensor_of_an_unknown_family(three: list[Path], tmp_path: Path) -> None:
    less = edited(three[1], tmp_path / "in" / "less.safetensors", **{LAYER.format(2): None})
    said = linear(three[0], less, out=tmp_path / "x.safetensors")
    refused(said, "'less' lacks 1 tensor that 'a' has", LAYER.format(2))
