"""The build step: derives the frozen tables from diffusers' own converters.

`python -m sdmerge.families.build` writes them, `--check` names what differs from them.
"""
