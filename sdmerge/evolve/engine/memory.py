"""An engine's memory as JSON: exact, and safe to read from a stranger's study.

Pickles would run what a file says, and cmaes drops its random state from them. Here arrays keep
their bytes and their order in memory (which the last bit of a matrix product depends on), random
states their words, and of objects only those of cmaes named below come back, attribute by
attribute.
"""

# numpy's and cmaes' objects are taken apart as they come
# pyright: reportUnknownMemberType=false, reportUnknownVariableType=false
# pyright: reportUnknownArgumentType=false

from __future__ import annotations

import base64
from collections import deque
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from sdmerge.errors import EngineError

_TAG = "~"
_CLASSES = (
    "CMA", "SepCMA", "CatCMAwM", "COMOCatCMAwM", "CatCMAwM.Solution", "COMOCatCMAwM.Solution",
)  # fmt: skip
_NUMBERS = "biuf"


def pack(value: Any) -> Any:
    """`value` as JSON can hold it; a TypeError for what it cannot bring back."""
    if value is None or type(value) in (bool, int, float, str):
        return value
    if isinstance(value, np.ndarray | np.generic):
        return _pack_array(np.asarray(value), scalar=isinstance(value, np.generic))
    if isinstance(value, np.random.RandomState):
        return {_TAG: "random", "state": pack(value.get_state(legacy=False))}
    if isinstance(value, Mapping):
        if _TAG in value or not all(isinstance(key, str) for key in value):
            raise TypeError(f"a memory's keys are words other than {_TAG}")
        return {key: pack(one) for key, one in value.items()}
    if isinstance(value, list | tuple | deque):
        items = [pack(one) for one in value]
        return items if isinstance(value, list) else {_TAG: type(value).__name__, "items": items}
    return {_TAG: _name(value), "attributes": pack(vars(value))}


def unpack(value: Any) -> Any:
    """What `pack` was given; an EngineError for anything that it does not write."""
    if isinstance(value, list):
        return [unpack(one) for one in value]
    if not isinstance(value, dict):
        return value
    tag = value.get(_TAG)
    if tag is None:
        return {key: unpack(one) for key, one in value.items()}
    if isinstance(tag, str) and tag in _LISTS:
        return _LISTS[tag]([unpack(one) for one in value["items"]])
    kinds = {"array": _unpack_array, "random": _unpack_random}
    return kinds.get(str(tag), _unpack_object)(value)


def _unpack_random(entry: Mapping[str, Any]) -> np.random.RandomState:
    made = np.random.RandomState()
    made.set_state(unpack(entry["state"]))
    return made


def _unpack_object(entry: Mapping[str, Any]) -> Any:
    made = object.__new__(_class(entry[_TAG]))
    made.__dict__.update(unpack(entry["attributes"]))
    return made


def _pack_array(array: np.ndarray[Any, Any], *, scalar: bool) -> dict[str, Any]:
    if array.dtype.hasobject:
        return {_TAG: "objects", "items": [pack(one) for one in array.tolist()]}
    if array.dtype.kind not in _NUMBERS:
        raise TypeError(f"a memory holds numbers, not {array.dtype}")
    order = "F" if array.flags.f_contiguous and not array.flags.c_contiguous else "C"
    return {
        _TAG: "array",
        "dtype": array.dtype.str,
        "shape": list(array.shape),
        "order": order,
        "scalar": scalar,
        "data": base64.b64encode(array.tobytes(order=order)).decode(),
    }


def _unpack_array(entry: Mapping[str, Any]) -> Any:
    dtype = np.dtype(entry["dtype"])
    if dtype.kind not in _NUMBERS:
        raise EngineError(f"the state holds {dtype}, which no engine writes")
    order = "F" if entry["order"] == "F" else "C"
    flat = np.frombuffer(base64.b64decode(entry["data"], validate=True), dtype)
    array = flat.reshape(entry["shape"], order=order).copy(order=order)
    return array[()] if entry["scalar"] else array


def _objects(items: Sequence[Any]) -> np.ndarray[Any, Any]:
    array = np.empty(len(items), object)
    array[:] = items
    return array


_LISTS = {"tuple": tuple, "deque": deque, "objects": _objects}


def _name(value: object) -> str:
    kind = type(value)
    known = {_class(name): name for name in _CLASSES}
    if kind not in known:
        raise TypeError(f"a memory cannot hold a {kind.__name__}")
    return known[kind]


def _class(name: object) -> type[Any]:
    """The class of cmaes that goes by this name here."""
    if name not in _CLASSES:
        raise EngineError(f"the state holds a {name!r}, which no engine writes")
    import cmaes

    outer, _, inner = str(name).partition(".")
    found = getattr(cmaes, outer)
    return getattr(found, inner) if inner else found
