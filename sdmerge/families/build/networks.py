"""Networks: a component built on the meta device, and diffusers' converter of its single files."""

# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false
# pyright: reportUnknownArgumentType=false, reportMissingTypeStubs=false
from __future__ import annotations

import importlib
from types import SimpleNamespace
from typing import Any

import torch
from torch import Tensor, nn

from sdmerge.families.build.trace import Converter
from sdmerge.families.family import SINGLE_FILE, Component, Config


def network_of(component: Component, config: Config) -> nn.Module:
    """The component's network of this config, on the meta device."""
    settings = {key: value for key, value in config.items() if key != "_class_name"}
    network = getattr(importlib.import_module(component.library), component.class_name)
    with torch.device("meta"):
        if component.library == "transformers":
            return network(network.config_class(**settings))
        return network(**settings)


def shapes_of(component: Component, config: Config) -> dict[str, tuple[int, ...]]:
    """The canonical keys (without the component) and shapes of the network of this config."""
    return {
        key.removeprefix(component.wrapper): tuple(tensor.shape)
        for key, tensor in network_of(component, config).state_dict().items()
    }


def converter(component: Component, config: Config) -> tuple[str, Converter]:
    """Diffusers' converter for a component's single files and the prefix it wants them under."""
    from diffusers.loaders import single_file_utils as utils

    prefix = component.layouts[SINGLE_FILE].prefixes[0]

    def convert(tensors: dict[str, Tensor]) -> dict[str, Tensor]:
        made: dict[str, Any]
        if component.origin == "clip":
            made = utils.convert_ldm_clip_checkpoint(tensors, prefix)
        elif component.origin == "open-clip":
            # the converter asks the model for its width alone
            model = SimpleNamespace(config=SimpleNamespace(hidden_size=config["hidden_size"]))
            made = utils.convert_open_clip_checkpoint(model, tensors, prefix)
        else:
            loadable = importlib.import_module("diffusers.loaders.single_file_model")
            entry = loadable.SINGLE_FILE_LOADABLE_CLASSES[component.class_name]
            made = entry["checkpoint_mapping_fn"](checkpoint=tensors, config=config)
        return {key.removeprefix(component.wrapper): value for key, value in made.items()}

    return prefix, convert
