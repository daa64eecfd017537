"""Evolve: the parts of the tab: what it shows of a draft and of studies, and what it starts."""
