"""Bytes and headers: tensors in files, with nothing of diffusion in it."""
