"""Tiny Stable Diffusion models that draw coloured shapes, and everything that made them."""
