"""Operations on LoRA files: converting, comparing, making smaller."""
