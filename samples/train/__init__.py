"""Draws the data, trains the sample models on a CPU, and measures them."""
