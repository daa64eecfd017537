"""The recipe language's own example, on files: everything it may say at once."""

from sdmerge.plan import Combine, plan
from sdmerge.recipe import parse_recipe
from sdmerge.testing import random_lora, random_model

EXAMPLE = """
merge_method: ties
base_model: models/base
models:
  - model: models/japanese
    name: ja
    parameters: {weight: 0.7, density: 0.5}
  - model: loras/ukiyoe.safetensors
    parameters:
      weight:
        - {filter: text_encoder, value: 0.0}
        - {filter: in04-out03, value: [0.2, 0.9]}
        - {filter: attn, value: 0.9}
        - {value: {search: [0.0, 1.5], init: 0.5, per: block}}
parameters: {normalize: true, lambda: 1.0}
components:
  text_encoder: {take: ja}
  tokenizer: {take: ja}
  text_encoder_2: {merge_method: linear, parameters: {weight: 0.5}}
output: {layout: diffusers}
dtype: float16
seed: 0
grid: {x: 'models[ja].parameters.weight=0:1:0.25', y: 'prompt=@prompts.txt', seeds: 2}
evolve:
  prompts: {search: a.txt, validation: b.txt, test: c.txt}
  fitness: [{scorer: clip, model: samples/scorers/clip_a, weight: 1.0}]
  engine: cma-es
  trials: 200
"""


def test_the_example_plans(tmp_path):
    base = random_model(tmp_path / "models/base", "sdxl", "diffusers", scale="tiny", seed=1)
    random_model(
        tmp_path / "models/japanese", "sdxl", "diffusers", scale="tiny", seed=2, perturb_of=1
    )
    (tmp_path / "loras").mkdir()
    random_lora(tmp_path / "loras/ukiyoe.safetensors", base, rank=2, alpha=1.0)
    planned = plan(parse_recipe(EXAMPLE, folder=tmp_path))
    how = {part.name: part.how for part in planned.report.components}
    assert how == {
        "unet": "ties",
        "vae": "taken from base (base)",
        "text_encoder": "taken from ja",
        "text_encoder_2": "linear",
    }
    weights = {
        task.key: dict(zip(task.node.names, dict(task.node.values)["weight"], strict=True))
        for task in planned.tasks
        if isinstance(task.node, Combine)
    }
    assert weights["unet.conv_in.weight"] == {"ja": 0.7, "ukiyoe": 0.5}
    # IN04 … M00 … OUT03 are ten blocks; M00 is the sixth
    middle = weights["unet.mid_block.resnets.0.conv1.weight"]["ukiyoe"]
    assert abs(middle - (0.2 + 0.7 * 5 / 9)) < 1e-6
    late = weights["unet.up_blocks.1.attentions.1.transformer_blocks.0.attn1.to_q.weight"]
    assert late == {"ja": 0.7, "ukiyoe": 0.9}
    encoder = "text_encoder_2.encoder.layers.0.mlp.fc1.weight"
    assert weights[encoder] == {"ja": 0.5, "ukiyoe": 0.5}
