"""What scorers stand on: their declaration, their models, preprocessing, prompts, statistics."""
