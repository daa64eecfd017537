"""Tools: one file in, one file out, by the commands that do it."""
