"""Laws: what everything of a kind must hold to, whoever wrote it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Protocol, TypeVar

T = TypeVar("T")
T_contra = TypeVar("T_contra", contravariant=True)


class Law(Protocol[T_contra]):
    """A function whose name is a sentence; it raises AssertionError where that is not so."""

    __name__: str

    def __call__(self, subject: T_contra, /) -> None: ...


def hold(name: str, laws: Sequence[Law[T]], subject: Callable[[], T]) -> None:
    """Check the laws in order, each on a `subject` of its own.

    An AssertionError says which law `name` breaks; any other error breaks the law it comes up in.
    """
    for law in laws:
        try:
            law(subject())
        except AssertionError as error:
            raise AssertionError(f"{name} breaks {law.__name__}: {error}") from None
        except Exception as error:
            what = f"{type(error).__name__}: {error}"
            raise AssertionError(f"{name} breaks {law.__name__}: {what}") from error
