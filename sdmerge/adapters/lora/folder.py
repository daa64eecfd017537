"""A folder of PEFT adapters, one per network, as one LoRA: unet/adapter_model.safetensors, …"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from sdmerge.adapters.lora.file import LoraFile
from sdmerge.adapters.lora.module import contents
from sdmerge.adapters.lora.scaling import CONFIG_NAME, Scaling, scaling_of
from sdmerge.errors import FileError
from sdmerge.tensors.joined_store import JoinedStore
from sdmerge.tensors.store import open_store
from sdmerge.tensors.strict_json import load_object

ADAPTER_NAME = "adapter_model.safetensors"
LORA_NAME = "pytorch_lora_weights.safetensors"
"""What a folder with a LoRA holds, as PEFT and as diffusers save one."""


def adapter_folders(path: Path) -> list[Path]:
    """The folders in `path` that hold an adapter each; none where it is a pipeline."""
    if (path / "model_index.json").is_file():
        return []
    return sorted(item.parent for item in path.glob(f"*/{ADAPTER_NAME}"))


def open_adapters(path: Path, folders: Iterable[Path]) -> LoraFile:
    """The adapters in these folders of `path`, each under its folder's name, as one LoRA."""
    stores = {folder.name: open_store(folder / ADAPTER_NAME) for folder in folders}
    configs = [path / name / CONFIG_NAME for name in stores]
    missing = [str(config) for config in configs if not config.is_file()]
    if missing:
        hint = "It says what the factors are scaled by; copy it from where the adapter came from."
        raise FileError("is missing", where=missing[0], hint=hint)
    store = JoinedStore(path, stores)
    scaling = _scaling(configs, path)
    return LoraFile(store, (*store.files, *configs), contents(store, scaling))


def scaling_in(lora: LoraFile) -> Scaling:
    """The settings that a file has in its header, or beside it."""
    configs = configs_of(lora)
    if len(configs) > 1:
        return _scaling(configs, lora.path)
    return scaling_of(lora.metadata, lora.path, configs[0] if configs else None)


def configs_of(lora: LoraFile) -> tuple[Path, ...]:
    """PEFT's configurations beside the tensors, one per network."""
    return lora.files[len(lora.store.files) :]


def _scaling(configs: Iterable[Path], where: Path) -> Scaling:
    settings = {
        f"{config.parent.name}.{name}": value
        for config in configs
        for name, value in load_object(config.read_bytes(), what="it", where=str(config)).items()
    }
    return Scaling(settings, where)
