"""Writes everything that is shipped from everything that was trained."""

from samples.train.clip_export import write_clips
from samples.train.export import write_folder, write_single_file
from samples.train.gallery import write_gallery
from samples.train.generator import KINDS, trained_pipeline
from samples.train.lora_export import distilled_pipeline, write_loras
from samples.train.paths import MODELS
from samples.train.prompts import write_prompts


def export() -> None:
    """Models, the single file, LoRAs, scorers, prompts with references, pictures."""
    for name in KINDS:
        write_folder(trained_pipeline(name), MODELS / name)
    write_folder(distilled_pipeline(), MODELS / "distilled")
    write_single_file(MODELS / "ukiyoe", MODELS / "ukiyoe.safetensors")
    write_loras()
    write_clips()
    write_prompts()
    write_gallery()
