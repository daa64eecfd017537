"""Symmetry: which channels of a network may change places without changing what it computes.

`dims` are dimensions that tensors share, `trace` finds them by running a module on the meta device,
`layout` says what that means for each parameter, `match` finds the permutation that makes one
model's weights most like another's.
"""

from sdmerge.symmetry.layout import Layout, Part, Var, layout_of
from sdmerge.symmetry.match import align, axis_index, permuted
from sdmerge.symmetry.trace import trace

__all__ = ["Layout", "Part", "Var", "align", "axis_index", "layout_of", "permuted", "trace"]
