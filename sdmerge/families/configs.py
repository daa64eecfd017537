"""Configs: the JSON files of a diffusers folder, told from tensors and the family's own data."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping

from sdmerge.families.family import SINGLE_FILE, Component, Config, Family
from sdmerge.families.sizes import solve
from sdmerge.families.table import Rule
from sdmerge.tensors.spec import TensorSpec

Specs = Mapping[str, TensorSpec]


def config_of(family: Family, component: str, specs: Specs) -> Config:
    """A component's config.json: widths, depths and channels from the shapes, the rest its own.

    What shapes do not show (the number of heads, the activation) is as the family has it.
    """
    return family.component(component).config_at(sizes_of(family, component, specs))


def sizes_of(family: Family, component: str, specs: Specs) -> dict[str, int]:
    """The widths and depths by name that a component's tensors have."""
    table = family.tables[component, SINGLE_FILE]
    shapes: list[tuple[Rule, TensorSpec]] = []
    depths: dict[str, int] = {}
    for key, spec in specs.items():
        name, _, rest = key.partition(".")
        known = table.rule_of(rest) if name == component else None
        if known is None:
            continue
        rule, index = known
        shapes.append((rule, spec))
        if index is not None:
            depths[rule.stem] = max(depths.get(rule.stem, 0), index + 1)
    votes: dict[str, Counter[int]] = {}
    for stem, depth in depths.items():
        votes.setdefault(str(table.depths[stem]), Counter())[depth] += 1
    layers = {name: count.most_common(1)[0][0] for name, count in votes.items()}
    return {**solve((rule.shape, spec.shape) for rule, spec in shapes), **layers}


def model_index(family: Family, components: Iterable[str], variant: str = "") -> Config:
    """The model_index.json of a folder that holds these components."""
    present = set(components)
    index: Config = {"_class_name": family.pipeline_of(variant), **family.pipeline_config}
    for component in family.components:
        held = component.name in present
        index[component.name] = [component.library, component.class_name] if held else _NOTHING
        if component.tokenizer:
            index[component.tokenizer] = ["transformers", "CLIPTokenizer"] if held else _NOTHING
    index["scheduler"] = ["diffusers", family.scheduler["_class_name"]]
    return {**index, **dict.fromkeys(family.absent, _NOTHING)}


def scheduler_of(
    family: Family, keys: Iterable[str] = (), metadata: Mapping[str, str] | None = None
) -> Config:
    """The scheduler_config.json: the family's own, unless the file says what it predicts.

    Files say so with a tensor called v_pred, and ztsnr for zero terminal SNR, or in modelspec
    metadata; Stable Diffusion 2's often do not at all.
    """
    names = {key.rpartition(".")[2] for key in keys if key.startswith("extra.")}
    said = (metadata or {}).get("modelspec.prediction_type", "")
    config = dict(family.scheduler)
    if "v_pred" in names or said == "v":
        config["prediction_type"] = "v_prediction"
    if "ztsnr" in names:
        config |= {"rescale_betas_zero_snr": True, "timestep_spacing": "trailing"}
    return config


def tokenizer_config(component: Component, specs: Specs) -> Config:
    """The tokenizer_config.json of a text encoder's tokenizer."""
    positions = specs.get(f"{component.name}.embeddings.position_embedding.weight")
    return {
        "add_prefix_space": False,
        "bos_token": "<|startoftext|>",
        "clean_up_tokenization_spaces": True,
        "do_lower_case": True,
        "eos_token": "<|endoftext|>",
        "errors": "replace",
        "model_max_length": positions.shape[0] if positions else component.sizes["p"],
        "pad_token": component.pad_token,
        "tokenizer_class": "CLIPTokenizer",
        "unk_token": "<|endoftext|>",
    }


_NOTHING: list[None] = [None, None]
