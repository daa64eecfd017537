"""Runs: what the tab of the history is made of."""
