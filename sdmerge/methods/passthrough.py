"""One model as it is."""

from __future__ import annotations

from sdmerge.method import Weight, method
from sdmerge.params import PerModel, Scale

_PASSTHROUGH = (
    "https://github.com/arcee-ai/mergekit/blob/main/docs/merge_methods.md#passthrough-passthrough"
)


@method(title="Passthrough", paper=_PASSTHROUGH, rotation="both")
def passthrough(a: Weight, *, scale: PerModel[Scale] = 1.0) -> Weight:
    """Take one model, each tensor times a number: scale·A.

    What other tools call "self". With filters it strengthens or weakens a part of a model.

    scale: What the tensors are multiplied by.
    """
    return (scale * a).reshape(a.shape)
