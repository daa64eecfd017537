"""Symmetries of real networks: permuted at random they compute the same, and are put back."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from sdmerge.symmetry import Layout, Var, align, layout_of, permuted, trace

SAMPLES_UNET = "samples/models/base/unet"


def shuffle(variables: list[Var], seed: int) -> None:
    """A random permutation of each kind that the variable allows."""
    dice = np.random.default_rng(seed)
    for var in variables:
        if var.swaps:
            var.order = dice.permutation(len(var.order))
        var.inner = [[dice.permutation(len(cell)) for cell in cells] for cells in var.kinds]


def weights(module: nn.Module) -> dict[str, Tensor]:
    return {name: tensor.clone() for name, tensor in module.state_dict().items()}


def load(module: nn.Module, tensors: Mapping[str, Tensor]) -> None:
    module.load_state_dict(dict(tensors))


def on_meta(module: nn.Module, inputs: Mapping[str, Any]) -> tuple[Layout, list[Var]]:
    import copy

    meta = copy.deepcopy(module).to("meta")
    return layout_of(trace(meta, {name: value.to("meta") for name, value in inputs.items()}))


def moved(layout: Layout) -> set[str]:
    return {name for name, axes in layout.items() if any(axes)}


def check(module: nn.Module, inputs: Mapping[str, Any], noise: float = 0.0) -> Layout:
    """Permuted at random it computes the same; aligned, it is what it was."""
    layout, variables = on_meta(module, inputs)
    original = weights(module)
    with torch.no_grad():
        wanted = module(**inputs).sample
    shuffle(variables, 1)
    changed = {name: permuted(tensor, layout[name]) for name, tensor in original.items()}
    for name in moved(layout):
        assert original[name].numel() < 9 or not torch.equal(changed[name], original[name]), name
    load(module, changed)
    with torch.no_grad():
        found = module(**inputs).sample
    assert (found - wanted).abs().max() <= 2e-5 * wanted.abs().max()
    for var in variables:
        var.reset()
    align(original.__getitem__, changed.__getitem__, layout, variables, sweeps=50,
          report=lambda done: None)  # fmt: skip
    for name, tensor in changed.items():
        restored = permuted(tensor, layout[name])
        assert (restored - original[name]).abs().max() <= 1e-6, name
    return layout


def dims(layout: Layout, name: str) -> list[bool]:
    """Which axes of a parameter move."""
    return [bool(parts) for parts in layout[name]]


class Small(nn.Module):
    """A gated feed-forward network beside a skip connection, as transformers have it."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.up = nn.Linear(3, 8), nn.Linear(8, 12)
        self.down, self.norm, self.last = nn.Linear(6, 8), nn.LayerNorm(8), nn.Linear(8, 2)

    def forward(self, x: Tensor) -> Any:
        hidden = self.first(x)
        value, gate = self.up(self.norm(hidden)).chunk(2, dim=-1)
        hidden = hidden + self.down(value * nn.functional.gelu(gate))
        return Out(self.last(hidden))


class Out(dict[str, Tensor]):
    """As diffusers gives its results."""

    def __init__(self, sample: Tensor) -> None:
        super().__init__(sample=sample)
        self.sample = sample


def seeded(module: nn.Module, seed: int = 0) -> nn.Module:
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for parameter in module.parameters():
            parameter.add_(0.2 * torch.randn(parameter.shape, generator=generator))
    return module.eval()


def test_gates_move_with_what_they_gate_and_ends_stay() -> None:
    layout = check(seeded(Small()), {"x": torch.randn(4, 3)})
    assert dims(layout, "first.weight") == [True, False]
    assert dims(layout, "last.weight") == [False, True]
    up = layout["up.weight"][0]
    assert [part.size for part in up] == [6, 6]
    assert up[0].var is up[1].var is layout["down.weight"][1][0].var
    assert layout["norm.weight"][0][0].var is layout["first.weight"][0][0].var


def test_an_unknown_operation_freezes_what_it_touches() -> None:
    class Sorted(Small):
        def forward(self, x: Tensor) -> Any:
            return Out(self.last(self.norm(self.first(x)).sort(dim=-1).values))

    layout, variables = on_meta(seeded(Sorted()), {"x": torch.randn(4, 3)})
    # what it touches, and the layers that take no part
    assert not moved(layout)
    assert not variables


def test_the_unet_of_the_samples() -> None:
    from diffusers import UNet2DConditionModel

    module = UNet2DConditionModel.from_pretrained(SAMPLES_UNET, torch_dtype=torch.float32)
    inputs = {
        "sample": torch.randn(1, 4, 8, 8),
        "timestep": torch.tensor([500]),
        "encoder_hidden_states": torch.randn(1, 24, module.config.cross_attention_dim),
    }
    layout = check(module.eval(), inputs)
    assert dims(layout, "conv_in.weight") == [True, False, False, False]
    assert dims(layout, "conv_out.weight") == [False, True, False, False]
    block = "down_blocks.0.attentions.0.transformer_blocks.0"
    assert dims(layout, f"{block}.attn2.to_k.weight") == [True, False]
    (query,), (key,) = (layout[f"{block}.attn1.to_{x}.weight"][0] for x in "qk")
    (value,), (out,) = (
        layout[f"{block}.attn1.to_v.weight"][0],
        layout[f"{block}.attn1.to_out.0.weight"][1],
    )
    assert query.var is key.var is value.var is out.var
    assert query.kind == key.kind != value.kind == out.kind
    assert dims(layout, f"{block}.ff.net.0.proj.weight") == [True, True]
    share = len(moved(layout)) / len(layout)
    assert share > 0.9


@pytest.mark.parametrize("norm", [None, "rms_norm"])
def test_a_diffusion_transformer(norm: str | None) -> None:
    from diffusers import SD3Transformer2DModel

    torch.manual_seed(0)
    module = SD3Transformer2DModel(
        sample_size=8, patch_size=2, in_channels=4, num_layers=2, attention_head_dim=8,
        num_attention_heads=4, joint_attention_dim=12, caption_projection_dim=32,
        pooled_projection_dim=10, out_channels=4, pos_embed_max_size=8, qk_norm=norm,
    )  # fmt: skip
    inputs = {
        "hidden_states": torch.randn(1, 4, 8, 8),
        "encoder_hidden_states": torch.randn(1, 5, 12),
        "pooled_projections": torch.randn(1, 10),
        "timestep": torch.tensor([500]),
    }
    layout = check(seeded(module), inputs)
    block = "transformer_blocks.0"
    # the width of both streams, with the positions that are saved beside the weights
    assert dims(layout, "pos_embed.proj.weight") == [True, False, False, False]
    assert dims(layout, "pos_embed.pos_embed") == [False, False, True]
    assert dims(layout, "context_embedder.weight") == [True, False]
    assert dims(layout, f"{block}.attn.to_q.weight") == [True, True]
    assert dims(layout, f"{block}.ff.net.0.proj.weight")[0]


def test_a_random_order_of_variables_is_not_needed_to_keep_a_fine_tune() -> None:
    module = seeded(Small())
    layout, variables = on_meta(module, {"x": torch.randn(4, 3)})
    one = weights(module)
    other = {name: tensor + 0.01 * torch.randn(tensor.shape) for name, tensor in one.items()}
    align(one.__getitem__, other.__getitem__, layout, variables, sweeps=5, report=lambda done: None)
    for name, tensor in other.items():
        assert torch.equal(permuted(tensor, layout[name]), tensor)
