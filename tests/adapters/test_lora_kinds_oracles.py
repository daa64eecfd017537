"""Every kind against those who train it: LyCORIS as it runs, and what PEFT merges."""

# neither library is typed
# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false
# pyright: reportUnknownArgumentType=false, reportUnknownParameterType=false

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from sdmerge.adapters.lora.file import open_lora
from sdmerge.adapters.lora.source import LoraSource
from sdmerge.errors import FileError
from sdmerge.families import FAMILIES
from sdmerge.tensors.spec import TensorSpec
from sdmerge.tensors.store import open_store
from sdmerge.testing.random_parts import ADAPTERS, WITH_ALPHA, Draw

from .lora_files import write

pytestmark = pytest.mark.filterwarnings("ignore")  # others' deprecations are not ours to mend
SD1 = FAMILIES.get("sd1")


def layers() -> dict[str, nn.Module]:
    """A matrix, a point-wise convolution and one with a kernel, with biases."""
    torch.manual_seed(0)
    return {
        "linear": nn.Linear(24, 16),
        "point": nn.Conv2d(16, 32, 1),
        "conv": nn.Conv2d(16, 32, 3, padding=1),
    }


def bound(path: Path, named: Mapping[str, nn.Module]) -> LoraSource:
    """The file on these layers, as if they were a UNet's."""
    specs = {
        f"unet.{name}.{end}": TensorSpec("F32", tuple(tensor.shape))
        for name, layer in named.items()
        for end, tensor in layer.state_dict().items()
    }
    return open_lora(open_store(path)).bind(SD1, specs)


def inputs(layer: nn.Module) -> Tensor:
    generator = torch.Generator().manual_seed(3)
    if isinstance(layer, nn.Linear):
        return torch.randn(5, layer.in_features, generator=generator)
    assert isinstance(layer, nn.Conv2d)
    return torch.randn(2, layer.in_channels, 6, 6, generator=generator)


def lycoris_module(layer: nn.Module, parts: Mapping[str, Tensor]) -> nn.Module:
    """LyCORIS' module of these parts on a layer."""
    from lycoris import modules
    from lycoris.modules.ia3 import IA3Module
    from lycoris.modules.locon import LoConModule

    if "on_input" in parts:  # its own loader has no part for `on_input`
        made = IA3Module("m", layer, 1.0, train_on_input=bool(parts["on_input"]))
        made.weight.data.copy_(parts["weight"])
        return made
    if "dora_scale" in parts and len(parts["dora_scale"]) == 1:  # nor has its loader columns
        made = LoConModule("m", layer, 1.0, 2, 3.0, weight_decompose=True, wd_on_out=False)
        made.lora_up.weight.data.copy_(parts["lora_up.weight"])
        made.lora_down.weight.data.copy_(parts["lora_down.weight"])
        made.dora_scale.data.copy_(parts["dora_scale"])
        return made
    kind, values = modules.get_module({f"m.{end}": p for end, p in parts.items()}, "m")
    return modules.make_module(kind, values, "m", layer)


# what LyCORIS has no module for or cannot load back
_UNLOADABLE = {"set", "dora-lokr", "norm", "lokr-tucker"}


@pytest.mark.parametrize(
    ("kind", "name"),
    [
        (kind, name)
        for kind in ADAPTERS
        for name in ("linear", "point", "conv")
        if kind not in _UNLOADABLE and (name == "conv" or "tucker" not in kind)
    ],
)
def test_lycoris_runs_the_same(kind: str, name: str, tmp_path: Path) -> None:
    layer = layers()[name]
    # of so small a factor LyCORIS makes a whole matrix, unless the rank is 1
    rank = 1 if kind == "lokr-both" else 2
    parts = ADAPTERS[kind](tuple(layer.weight.shape), rank, Draw(4, 0.3))
    if kind.startswith(WITH_ALPHA):
        # with both factors whole it divides by a rank of 1
        parts["alpha"] = torch.tensor(1.0 if kind == "lokr-full" else 3.0)
    if kind in ("oft", "boft"):
        parts["alpha"] = torch.tensor(0.02)
    if kind == "full":
        parts["diff_b"] *= 0  # it runs without its bias
    path = write(tmp_path / "x.safetensors", {f"unet.{name}.{e}": p for e, p in parts.items()})
    source = bound(path, {name: layer})
    ours = type(layer)(*_sizes(layer))
    before = layer.weight.detach()
    ours.load_state_dict(
        {
            "weight": source.apply(f"unet.{name}.weight", before),
            "bias": layer.bias.detach(),
        }
    )
    with torch.no_grad():
        wanted = lycoris_module(layer, parts)(inputs(layer))
        found = ours(inputs(layer))
        plain = layer(inputs(layer))
    torch.testing.assert_close(found, wanted, rtol=0, atol=2e-6 * float(wanted.abs().max() + 1))
    assert not torch.allclose(plain, wanted, atol=1e-3)


def _sizes(layer: nn.Module) -> tuple[Any, ...]:
    if isinstance(layer, nn.Linear):
        return layer.in_features, layer.out_features
    assert isinstance(layer, nn.Conv2d)
    return layer.in_channels, layer.out_channels, layer.kernel_size, 1, layer.padding


class Model(nn.Module):
    """The layers as one network, and an embedding."""

    def __init__(self) -> None:
        super().__init__()
        for name, layer in layers().items():
            self.add_module(name, layer)
        self.embedding = nn.Embedding(10, 8)

    def forward(self, x: Tensor) -> Tensor:
        return x


def configs() -> dict[str, Any]:
    import peft

    both = {"target_modules": ["linear", "point", "conv"]}
    oft = {**both, "oft_block_size": 8, "init_weights": False}
    return {
        "bias": peft.LoraConfig(r=3, lora_alpha=5, lora_bias=True, init_lora_weights=False, **both),
        "dora": peft.LoraConfig(r=3, lora_alpha=5, use_dora=True, init_lora_weights=False, **both),
        "embedding": peft.LoraConfig(
            r=2, lora_alpha=3, target_modules=["embedding"], init_lora_weights=False
        ),
        "embedding-dora": peft.LoraConfig(
            r=2, lora_alpha=3, use_dora=True, target_modules=["embedding"], init_lora_weights=False
        ),
        "loha": peft.LoHaConfig(r=3, alpha=5, init_weights=False, **both),
        "loha-conv": peft.LoHaConfig(
            r=3, alpha=5, use_effective_conv2d=True, init_weights=False, **both
        ),
        "lokr": peft.LoKrConfig(r=1, alpha=5, init_weights=False, **both),
        "lokr-both": peft.LoKrConfig(
            r=1, alpha=5, decompose_both=True, init_weights=False,
            rank_pattern={"conv": 2}, alpha_pattern={"point": 3}, **both
        ),
        "lokr-conv": peft.LoKrConfig(
            r=1, alpha=5, use_effective_conv2d=True, init_weights=False, **both
        ),
        "lokr-full": peft.LoKrConfig(r=9, alpha=5, init_weights=False, **both),
        "ia3": peft.IA3Config(feedforward_modules=[], init_ia3_weights=False, **both),
        "ia3-input": peft.IA3Config(
            feedforward_modules=["linear", "conv"], init_ia3_weights=False, **both
        ),
        "oft": peft.OFTConfig(**oft, use_cayley_neumann=False),
        "oft-series": peft.OFTConfig(**oft),
        "oft-3-terms": peft.OFTConfig(**oft, num_cayley_neumann_terms=3),
        "oft-2-terms": peft.OFTConfig(**oft, num_cayley_neumann_terms=2),
        "oft-shared": peft.OFTConfig(**oft, block_share=True, use_cayley_neumann=False),
        "oft-held": peft.OFTConfig(**oft, coft=True, eps=0.05, use_cayley_neumann=False),
        "boft": peft.BOFTConfig(boft_block_size=4, init_weights=False, **both),
    }  # fmt: skip


NAMES = ["bias", "dora", "embedding", "embedding-dora", "loha", "loha-conv", "lokr", "lokr-both",
         "lokr-conv", "lokr-full", "ia3", "ia3-input", "oft", "oft-series", "oft-3-terms",
         "oft-2-terms", "oft-shared", "oft-held", "boft"]  # fmt: skip


def saved(name: str, folder: Path) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
    """Weights before and after PEFT merges a random adapter, which lies in the folder."""
    import peft

    before = {key: tensor.clone() for key, tensor in Model().state_dict().items()}
    torch.manual_seed(9)
    model = peft.get_peft_model(Model(), configs()[name])
    for parameter_name, parameter in model.named_parameters():
        if "lora_B" in parameter_name and parameter_name.endswith("bias"):
            nn.init.normal_(parameter)
        if "magnitude" in parameter_name:
            parameter.data.mul_(1.3)
    model.save_pretrained(folder)
    return before, model.merge_and_unload().state_dict()


@pytest.mark.parametrize("name", NAMES)
def test_peft_merges_the_same(name: str, tmp_path: Path) -> None:
    before, after = saved(name, tmp_path)
    model = Model()
    source = bound(tmp_path / "adapter_model.safetensors", dict(model.named_children()))
    assert {key for key in before if not torch.equal(before[key], after[key])} == {
        key.removeprefix("unet.") for key in source.specs
    }
    assert source.changes
    for key in source.specs:
        short = key.removeprefix("unet.")
        torch.testing.assert_close(
            source.apply(key, before[short]), after[short], rtol=1e-5, atol=5e-6
        )


@pytest.mark.parametrize("stages", [1, 2, 3])
def test_peft_butterflies(stages: int, tmp_path: Path) -> None:
    """By PEFT's own permutations; its merge of several stages needs a compiler for the GPU."""
    from peft.tuners.boft.layer import BOFTLayer

    layer, size = nn.Linear(16, 5, bias=False), 4
    torch.manual_seed(1)
    learned, scales = 0.3 * torch.randn(stages, 4, size, size), torch.rand(5, 1)
    tensors = {"base_model.model.linear.boft_R": learned, "base_model.model.linear.boft_s": scales}
    source = bound(write(tmp_path / "x.safetensors", tensors), {"linear": layer})
    total = torch.eye(16, dtype=torch.float64)
    for stage, blocks in enumerate(learned.double()):
        skew, unit = 0.5 * (blocks - blocks.mT), torch.eye(size, dtype=torch.float64)
        turned = torch.block_diag(*((unit - skew) @ torch.linalg.inv(unit + skew)))
        order = BOFTLayer.block_butterfly_perm(None, 16, 4 // 2**stage, size // 2, stages - 1)
        permutation = torch.eye(16, dtype=torch.float64)[order]
        total = permutation @ turned @ permutation.T @ total
    weight = layer.weight.detach()
    wanted = (total @ weight.double().T).T * scales.double()
    found = source.apply("unet.linear.weight", weight)
    torch.testing.assert_close(found.double(), wanted, rtol=1e-6, atol=1e-6)


def test_an_oft_without_its_configuration_is_refused(tmp_path: Path) -> None:
    saved("oft", tmp_path)
    config = tmp_path / "adapter_config.json"
    settings = json.loads(config.read_text())
    config.write_text(
        json.dumps({**settings, "use_cayley_neumann": True, "peft_version": "0.17.1"})
    )
    with pytest.raises(FileError, match=r"PEFT before 0\.18"):
        open_lora(open_store(tmp_path / "adapter_model.safetensors"))
    config.unlink()
    with pytest.raises(FileError, match="without its configuration"):
        open_lora(open_store(tmp_path / "adapter_model.safetensors"))


def test_a_scaled_convolution_needs_the_configuration(tmp_path: Path) -> None:
    saved("ia3", tmp_path)
    (tmp_path / "adapter_config.json").unlink()
    with pytest.raises(FileError, match="whether its input or output"):
        open_lora(open_store(tmp_path / "adapter_model.safetensors"))
