"""The recipe language: every construct, and every complaint with its line."""
