"""sdmerge: merge diffusion models."""
