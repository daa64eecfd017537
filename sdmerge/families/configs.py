"""Configs: the JSON files of a diffusers folder, told from tensors and the family's own data."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping

from sdmerge.errors import FamilyError
from sdmerge.families.depths import with_depths
from sdmerge.families.family import SINGLE_FILE, Component, Config, Family
from sdmerge.families.sizes import evaluate, solve
from sdmerge.families.table import Rule
from sdmerge.tensors.spec import TensorSpec

Specs = Mapping[str, TensorSpec]

DIFFUSERS_VERSION = "0.21.0"
"""The oldest that reads what we write; without a version, inpainting pipelines do not load."""

_NOTHING: list[None] = [None, None]
_OWN_CONFIG = "Only the model's own config.json describes it: start from a folder that has one."


def config_of(family: Family, component: str, specs: Specs) -> Config:
    """A component's config.json: widths, depths and channels from the shapes, the rest its own.

    What shapes do not show (the number of heads, the activation) is as the family has it. Tensors
    that no config of the family describes are a FamilyError.
    """
    sizes = sizes_of(family, component, specs)
    at = {**family.component(component).depths, **sizes}
    for key, rule, spec in _known(family, component, specs):
        shape = tuple(evaluate(size, at) for size in rule.shape)
        if shape != spec.shape:
            what = f"is {list(spec.shape)}, where the other tensors' sizes ask for {list(shape)}"
            raise FamilyError(what, where=key, hint=_OWN_CONFIG)
    config = family.component(component).config_at(sizes)
    if component == family.main.name:
        return with_depths(config, specs)
    table = family.tables[component, SINGLE_FILE]
    for stem, depth in _depths(family, component, specs).items():
        if depth != (most := evaluate(table.depths[stem], at)):
            what = f"has {depth} layers, where others have {most}"
            raise FamilyError(what, where=f"{component}.{stem}", hint=_OWN_CONFIG)
    return config


def sizes_of(family: Family, component: str, specs: Specs) -> dict[str, int]:
    """The widths and depths by name that a component's tensors have, by most of them."""
    table = family.tables[component, SINGLE_FILE]
    votes: dict[str, Counter[int]] = {}
    for stem, depth in _depths(family, component, specs).items():
        votes.setdefault(str(table.depths[stem]), Counter())[depth] += 1
    layers = {name: count.most_common(1)[0][0] for name, count in votes.items()}
    shapes = ((rule.shape, spec.shape) for _, rule, spec in _known(family, component, specs))
    return {**solve(shapes), **layers}


def _known(family: Family, component: str, specs: Specs) -> Iterator[tuple[str, Rule, TensorSpec]]:
    """The component's tensors with their rules."""
    table = family.tables[component, SINGLE_FILE]
    prefix = f"{component}."
    for key, spec in specs.items():
        if key.startswith(prefix) and (known := table.rule_of(key.removeprefix(prefix))):
            yield key, known[0], spec


def _depths(family: Family, component: str, specs: Specs) -> dict[str, int]:
    """How many layers each stack of a component has."""
    depths: dict[str, int] = {}
    for key, rule, _ in _known(family, component, specs):
        if rule.stem:
            index = int(key.removeprefix(f"{component}.{rule.stem}").partition(".")[0])
            depths[rule.stem] = max(depths.get(rule.stem, 0), index + 1)
    return depths


def model_index(family: Family, components: Iterable[str], variant: str = "") -> Config:
    """The model_index.json of a folder that holds these components."""
    present = set(components)
    index: Config = {
        "_class_name": family.pipeline_of(variant),
        "_diffusers_version": DIFFUSERS_VERSION,
        **family.pipeline_config,
    }
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
