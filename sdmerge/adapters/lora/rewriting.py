"""Rewriting: a LoRA's modules under the names of the file they were read from."""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor

from sdmerge.adapters.lora.file import FileModule, LoraFile
from sdmerge.adapters.lora.folder import configs_of
from sdmerge.adapters.lora.names import suffix_of
from sdmerge.adapters.lora.parts import ALPHA, Parts, is_low_rank
from sdmerge.adapters.lora.scaling import METADATA_KEY
from sdmerge.adapters.lora.settings import Adapted, adapter_config
from sdmerge.adapters.lora.spelling import Dialect
from sdmerge.adapters.lora.writing import Encoded
from sdmerge.tensors.strict_json import load_object

Modules = Sequence[tuple[FileModule, Parts]]
# of PEFT's settings those that say how factors are scaled; the others stay as they are
_SCALES = ("r", "lora_alpha", "rank_pattern", "alpha_pattern", "use_rslora")
_NETWORK = "adapter"
_TEXT_MODEL = "text_model."


def rewritten(lora: LoraFile, modules: Modules) -> Encoded:
    """The modules of `lora` with other parts, to be written as it was."""
    dialect = dialect_of(lora)
    alone = len(configs_of(lora)) == 1
    head = f"{_NETWORK}." if alone else ""
    tensors: dict[str, Tensor] = {}
    for module, parts in modules:
        for part, key in module.keys.items():
            tensors[head + key] = parts[suffix_of(part)]
    return Encoded(dialect, tensors, _settings(lora, modules, dialect), {}, len(modules))


def dialect_of(lora: LoraFile) -> Dialect:
    """The dialect that keeps scales where this file does: beside it, in its header, in alphas."""
    if configs_of(lora):
        return "peft"
    return "diffusers" if METADATA_KEY in lora.metadata else "kohya"


def _settings(lora: LoraFile, modules: Modules, dialect: Dialect) -> dict[str, dict[str, object]]:
    """PEFT's settings by network, where the file has such, with the new ranks and alphas."""
    made = _old_settings(lora, dialect)
    networks: dict[str, dict[str, Adapted]] = {}
    for module, parts in modules:
        named = module.parsed.prefix.partition(".")[0]
        network = next((one for one in (named, _NETWORK, "") if one in made), "")
        if network in made and ALPHA not in module.keys and is_low_rank(parts):
            adapted = Adapted.of(module.parsed.path, parts)
            networks.setdefault(network, {})[_pattern(module)] = adapted
    for network, adapted in networks.items():
        new = adapter_config(adapted)
        made[network].update({name: new[name] for name in _SCALES})
    return made


def _pattern(module: FileModule) -> str:
    """What means this module alone, with and without transformers' older prefix."""
    path = module.parsed.path
    encoder = any(name.startswith("text_encoder") for name in module.parsed.components)
    return path.removeprefix(_TEXT_MODEL) if encoder or _TEXT_MODEL in path else f"^{path}"


def _old_settings(lora: LoraFile, dialect: Dialect) -> dict[str, dict[str, object]]:
    """The file's own settings by network; "" where they are of the only one."""
    if dialect == "peft":
        configs = configs_of(lora)
        return {
            config.parent.name if len(configs) > 1 else _NETWORK: load_object(
                config.read_bytes(), what="it", where=str(config)
            )
            for config in configs
        }
    if dialect != "diffusers":
        return {}
    text = lora.metadata[METADATA_KEY].encode()
    found: dict[str, dict[str, object]] = {}
    for name, value in load_object(text, what=METADATA_KEY, where=str(lora.path)).items():
        network, _, setting = name.rpartition(".")
        found.setdefault(network, {})[setting] = value
    return found
