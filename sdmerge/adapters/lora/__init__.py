"""LoRA files as changes of a base model, whatever trainer's names they bear."""
