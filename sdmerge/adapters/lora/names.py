"""What a LoRA's keys say: which part of which module, in whose spelling, of which kind.

    kohya       lora_unet_down_blocks_0_attentions_0_proj_in + .lora_down.weight, .lora_up.weight
    diffusers   unet.down_blocks.0.attentions.0.proj_in      + .lora_A.weight, .lora_B.weight
    peft        base_model.model.down_blocks.0.attentions.0… + .lora_A.default.weight
    comfyui     diffusion_model.input_blocks.1.1.proj_in     + .lora_A.weight
    older       unet.….attn1.processor.to_q_lora.down.weight, ….q_proj.lora_linear_layer.up.weight

Nothing here knows a model's modules: `targets.py` looks the names up among the base's own.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

Role = Literal["down", "up", "alpha", "other"]
PLAIN = "LoRA"


@dataclass(frozen=True, slots=True)
class Slot:
    """One tensor's place: the module as the file spells it, the role, and the adapter's kind.

    `part` tells apart what is neither of a LoRA's factors nor its alpha: "hada_w1_a", "diff_b", …;
    "" for the parts of kinds that are not read.
    """

    module: str
    role: Role
    kind: str = PLAIN
    part: str = ""


@dataclass(frozen=True, slots=True)
class ModuleName:
    """A module's spelling taken apart: prefix + path. `components` () means it could be any."""

    prefix: str
    path: str
    dialect: str
    components: tuple[str, ...]


_ADAPTER = r"(?:\.(?!weight$|bias$)[^.]+)?"  # PEFT's adapter name, as in lora_A.default.weight
# adapters that PEFT alone has, by what their tensors' names begin with
_PEFT_ONLY = (
    "adamss", "beft", "c3a", "deft", "delora", "fourierft", "frod", "glora", "gralora", "hira",
    "hra", "lily", "miss", "peanut", "poly", "psoft", "pvera", "randlora", "road", "shadow",
    "shira", "supertuning", "tinylora", "unilora", "vblora", "vera", "waveft",
)  # fmt: skip
_SUFFIXES: tuple[tuple[str, Role, str], ...] = (
    (
        rf"\.(?:lora_down|lora_A{_ADAPTER}|lora\.down|lora_linear_layer\.down)\.weight",
        "down",
        PLAIN,
    ),
    (rf"\.(?:lora_up|lora_B{_ADAPTER}|lora\.up|lora_linear_layer\.up)\.weight", "up", PLAIN),
    (r"_lora\.down\.weight", "down", PLAIN),
    (r"_lora\.up\.weight", "up", PLAIN),
    (r"\.alpha", "alpha", PLAIN),
    (r"\.(?P<part>dora_scale)", "other", "DoRA"),
    (rf"\.(?P<part>lora_magnitude_vector){_ADAPTER}(?:\.weight)?", "other", "DoRA"),
    (r"\.(?P<part>lora_mid)\.weight", "other", "Tucker LoRA"),
    (rf"\.(?P<part>lora_B){_ADAPTER}\.bias", "other", "LoRA with a bias"),
    (rf"\.(?P<part>lora_embedding_[AB]){_ADAPTER}", "other", "embedding LoRA"),
    (rf"\.(?P<part>hada_(?:w[12]_[ab]|t[12])){_ADAPTER}", "other", "LoHa"),
    (rf"\.(?P<part>lokr_(?:w[12](?:_[ab])?|t2)){_ADAPTER}", "other", "LoKr"),
    (r"\.(?P<part>[ab][12]|bm)\.weight", "other", "GLoRA"),
    (rf"\.(?P<part>on_input|ia3_l){_ADAPTER}", "other", "(IA)³"),
    (r"\.(?P<part>oft_blocks|rescale)", "other", "OFT"),
    (rf"\.(?P<part>oft_R){_ADAPTER}\.weight", "other", "OFT"),
    (rf"\.(?P<part>boft_[Rs]){_ADAPTER}", "other", "BOFT"),
    (r"\.(?P<part>[wb]_norm)", "other", "norm"),
    (r"\.(?P<part>diff(?:_b)?)", "other", "full difference"),
    (r"\.(?P<part>set_weight)", "other", "replaced weight"),
    # what follows is known by name and not read
    (r"\.(?:[qp]_layer|lambda_layer)(?:\.weight)?", "other", "T-LoRA, which changes with the step"),
    (r"\.lora_up\.bias", "other", "LoRA with a bias of unknown scale"),
    (r"\.reshape_weight", "other", "weight of another shape"),
    (r"\.lokr_t1", "other", "LoKr with a decomposed first factor's kernel"),
    (r"\.oft_diag", "other", "diag-OFT of rotations"),
    (rf"\.oft_r{_ADAPTER}(?:\.weight)?", "other", "OFT of PEFT before 0.14"),
    (rf"\.oft_embedding_R{_ADAPTER}\.weight", "other", "embedding OFT"),
    (rf"\.lora_[ABE]{_ADAPTER}", "other", "AdaLoRA"),
    (rf"\.(?P<peft>{'|'.join(_PEFT_ONLY)})_[A-Za-z]\w*(?:\.[^.]+)*", "other", "PEFT's"),
)
_SLOTS: tuple[tuple[re.Pattern[str], Role, str], ...] = tuple(
    (re.compile(f"(.+){suffix}"), role, kind) for suffix, role, kind in _SUFFIXES
)

_MAIN = ("unet", "transformer")
_PREFIXES: tuple[tuple[str, str, tuple[str, ...]], ...] = (
    ("lora_unet_", "kohya", _MAIN),
    ("lora_te1_", "kohya", ("text_encoder",)),
    ("lora_te2_", "kohya", ("text_encoder_2",)),
    ("lora_te_", "kohya", ("text_encoder", "text_encoder_2")),
    ("lora_transformer_", "onetrainer", ("transformer", "unet")),
    ("lycoris_", "lycoris", ()),
    ("model.diffusion_model.", "comfyui", _MAIN),
    ("diffusion_model.", "comfyui", _MAIN),
    ("text_encoders.clip_l.transformer.", "comfyui", ("text_encoder",)),
    ("text_encoders.clip_h.transformer.", "comfyui", ("text_encoder",)),
    ("text_encoders.clip_g.transformer.", "comfyui", ("text_encoder_2",)),
    ("unet.", "diffusers", _MAIN),
    ("transformer.", "diffusers", ("transformer", "unet")),
    ("text_encoder_2.", "diffusers", ("text_encoder_2",)),
    ("text_encoder.", "diffusers", ("text_encoder", "text_encoder_2")),
)
_PEFT = "base_model.model."
_SELF_ATTENTION = re.compile(r"(.*_self_attn)_to_(q|k|v|out)")


def split_key(key: str) -> Slot | None:
    """The place of a LoRA file's tensor, or None for a key that no adapter has."""
    for pattern, role, kind in _SLOTS:
        if match := pattern.fullmatch(key):
            found = match.groupdict()
            named = f"{kind} {found['peft']}" if "peft" in found else kind
            return Slot(match[1], role, named, found.get("part", "" if role == "other" else role))
    return None


_SUFFIX_OF = {
    "down": "lora_down.weight",
    "up": "lora_up.weight",
    "lora_mid": "lora_mid.weight",
    "lora_B": "lora_B.bias",
    "lora_magnitude_vector": "dora_scale",
    "oft_R": "oft_R.weight",
    **{part: f"{part}.weight" for part in ("a1", "a2", "b1", "b2", "bm")},
}


def suffix_of(part: str) -> str:
    """What stands behind a module's name where kohya or LyCORIS write this part."""
    return _SUFFIX_OF.get(part, part)


def split_module(module: str) -> ModuleName:
    """A module's spelling taken apart into the prefix, which tells the component, and the path."""
    peft = module.startswith(_PEFT)
    start = len(_PEFT) if peft else 0
    for prefix, dialect, components in _PREFIXES:
        if not module.startswith(prefix, start):
            continue
        end = start + len(prefix)
        if module.startswith(_PEFT, end):
            peft, end = True, end + len(_PEFT)
        return ModuleName(module[:end], module[end:], "peft" if peft else dialect, components)
    return ModuleName(module[:start], module[start:], "peft" if peft else "plain", ())


def flatten(name: str) -> str:
    """A dotted path as kohya writes it. No two modules of a component become equal by this."""
    return name.replace(".", "_")


def spellings(path: str) -> Iterator[str]:
    """The flattened names a module's path may have meant, the likeliest first."""
    flat = flatten(path.replace(".processor.", "."))
    yield flat
    if flat.endswith("_to_out"):
        yield f"{flat}_0"
    # text encoders were once patched with the UNet's names for their projections
    if match := _SELF_ATTENTION.fullmatch(flat):
        yield f"{match[1]}_{match[2]}_proj"
