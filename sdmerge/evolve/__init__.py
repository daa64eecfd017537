"""Evolve: a search for the recipe whose pictures score best, and what it takes to believe it."""
