"""Our ΔW against what diffusers and PEFT make of the same files."""

# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false
# pyright: reportUnknownArgumentType=false, reportUnknownParameterType=false

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

from sdmerge.adapters.lora.file import open_lora
from sdmerge.families import FAMILIES, Family, config_of, single_file_map
from sdmerge.tensors.spec import TensorSpec
from sdmerge.tensors.store import open_store

from .lora_files import narrow_specs, random_lora

pytestmark = pytest.mark.filterwarnings("ignore")  # others' deprecations are not ours to mend
SD1, SDXL = FAMILIES.get("sd1"), FAMILIES.get("sdxl")
ATTENTION = r"(to_[qkv]|to_out|[qkv]_proj|out_proj)"


def network(family: Family, component: str) -> nn.Module:
    """One network of the family's narrow model."""
    import diffusers
    import transformers

    torch.manual_seed(0)
    config = config_of(family, component, narrow_specs(family))
    if component == "unet":
        return diffusers.UNet2DConditionModel.from_config(config)
    made = transformers.CLIPTextConfig(**config)
    return getattr(transformers, family.component(component).class_name)(made)


def canonical(component: str, module: nn.Module) -> dict[str, Tensor]:
    """A network's weights by canonical key, as they are now."""
    return {
        f"{component}.{name.removeprefix('text_model.')}": tensor.detach().clone()
        for name, tensor in module.state_dict().items()
    }


def ours(path: Path, family: Family, before: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """ΔW of every weight the file changes."""
    specs = {key: TensorSpec("F32", tuple(tensor.shape)) for key, tensor in before.items()}
    source = open_lora(open_store(path)).bind(family, specs, single_file_map(family, specs))
    return {key: source.read(key).view(source.specs[key].shape) for key in source.specs}


def assert_same(
    before: Mapping[str, Tensor], after: Mapping[str, Tensor], deltas: Mapping[str, Tensor]
) -> None:
    """What changed is what we say changes, by as much, and nothing else."""
    changed = {key for key, tensor in before.items() if not torch.equal(tensor, after[key])}
    assert changed == set(deltas)
    for key, delta in deltas.items():
        torch.testing.assert_close(
            before[key] + delta, after[key], rtol=1e-5, atol=1e-6, msg=lambda m, k=key: f"{k}: {m}"
        )


@pytest.mark.parametrize(
    ("family", "dialect", "targets"),
    [
        (SD1, "kohya", ""),
        (SD1, "diffusers", ""),
        (SD1, "diffusers-old", ATTENTION),
        (SDXL, "kohya-sgm", r"attn|resnets|samplers|proj_in|proj_out|mlp|conv_|time_embedding"),
    ],
    ids=["sd1-kohya", "sd1-diffusers", "sd1-old", "sdxl-sgm"],
)
def test_diffusers_fuses_the_same(
    family: Family, dialect: str, targets: str, tmp_path: Path
) -> None:
    import diffusers

    names = [component.name for component in family.components if component.name != "vae"]
    networks = {name: network(family, name) for name in names}
    unused = ["vae", "tokenizer", *(["tokenizer_2"] if "text_encoder_2" in names else [])]
    if family is SD1:
        unused += ["safety_checker", "feature_extractor"]
    make = getattr(diffusers, family.pipeline)
    pipeline = make(scheduler=diffusers.DDIMScheduler(), **networks, **dict.fromkeys(unused))

    def weights() -> dict[str, Tensor]:
        return {
            key: tensor
            for name in names
            for key, tensor in canonical(name, getattr(pipeline, name)).items()
        }

    before, path = weights(), tmp_path / "x.safetensors"
    alpha = None if dialect == "diffusers-old" else 1.5
    random_lora(path, family, narrow_specs(family), dialect, rank=3, alpha=alpha, targets=targets)
    pipeline.load_lora_weights(str(tmp_path), weight_name=path.name)
    pipeline.fuse_lora()
    pipeline.unload_lora_weights()
    assert_same(before, weights(), ours(path, family, before))


CONFIGS: dict[str, dict[str, object]] = {
    "plain": {"r": 4, "lora_alpha": 3},
    "rslora": {"r": 4, "lora_alpha": 3, "use_rslora": True},
    "patterns": {
        "r": 4,
        "lora_alpha": 8,
        "rank_pattern": {"attn1.to_q": 2, "conv1": 3},
        "alpha_pattern": {"to_q": 5, r"up_blocks\..*\.to_k": 1},
    },
}


@pytest.mark.parametrize("name", CONFIGS)
@pytest.mark.parametrize("component", ["unet", "text_encoder"])
def test_peft_merges_the_same(component: str, name: str, tmp_path: Path) -> None:
    import peft

    targets = ["to_q", "to_k", "proj_in", "conv1", "conv_shortcut", "q_proj", "fc1"]
    before = canonical(component, network(SD1, component))
    config = peft.LoraConfig(target_modules=targets, **CONFIGS[name])
    model = peft.get_peft_model(network(SD1, component), config)
    torch.manual_seed(5)
    for parameter_name, parameter in model.named_parameters():
        if "lora_B" in parameter_name:
            nn.init.normal_(parameter, std=0.1)
    model.save_pretrained(tmp_path)
    after = canonical(component, model.merge_and_unload())
    deltas = ours(tmp_path / "adapter_model.safetensors", SD1, before)
    assert len(deltas) > 3
    assert_same(before, after, deltas)
