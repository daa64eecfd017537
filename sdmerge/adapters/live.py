"""Live modules: a pipeline in memory as a source, without a file."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from torch import Tensor, nn

from sdmerge.adapters.mapped import MappedSource
from sdmerge.errors import FamilyError
from sdmerge.families import recognise_folder
from sdmerge.tensors.dtypes import code_of
from sdmerge.tensors.spec import TensorSpec


class ModuleStore:
    """A module's parameters and buffers as a store. Names are those without a runtime LoRA."""

    def __init__(self, module: nn.Module) -> None:
        self.path = Path()
        self.files: tuple[Path, ...] = ()
        self.metadata: Mapping[str, str] = {}
        self.tensors = module_tensors(module)
        self.specs: Mapping[str, TensorSpec] = {
            name: TensorSpec(code_of(tensor.dtype), tuple(tensor.shape))
            for name, tensor in self.tensors.items()
        }

    def read(self, name: str, start: int = 0, stop: int | None = None) -> Tensor:
        """Elements [start, stop), copied, so that the module may change meanwhile."""
        return self.tensors[name].detach().reshape(-1)[start:stop].cpu().clone()

    def close(self) -> None:
        """Nothing to let go of."""


def module_tensors(module: nn.Module) -> dict[str, Tensor]:
    """What a saved file of the module holds, by name; a runtime LoRA's own tensors are left out.

    Names are those of the module before it was compiled or wrapped for a LoRA.
    """
    return {
        name.replace(".base_layer.", ".").replace("_orig_mod.", ""): tensor
        for name, tensor in module.state_dict(keep_vars=True).items()
        if ".lora_" not in name
    }


def pipeline_modules(pipeline: Any) -> dict[str, nn.Module]:
    """The networks of a diffusers pipeline by component name."""
    return {name: part for name, part in pipeline.components.items() if isinstance(part, nn.Module)}


def live_source(modules: Mapping[str, nn.Module]) -> MappedSource:
    """The modules, by component name (`unet`, `text_encoder`, …), as one source."""
    stores = {name: ModuleStore(module) for name, module in modules.items()}
    found = recognise_folder({name: store.specs for name, store in stores.items()})
    if found is None:
        raise FamilyError(f"the modules {', '.join(modules)} are of no known family")
    return MappedSource(
        None,
        stores,
        found.keymap,
        family=found.family,
        layout="live",
        variant=found.variant,
        missing=found.missing,
        left_out=found.dropped,
    )
