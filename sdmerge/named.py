"""A registry: functions by name, as methods, scorers and engines are kept."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, ClassVar, Protocol, TypeVar

from sdmerge.errors import SdmergeError


class Entry(Protocol):
    """What a registry holds: a function with the name it goes by."""

    @property
    def name(self) -> str:
        """The word in recipes."""
        ...

    @property
    def body(self) -> Callable[..., Any]:
        """The function."""
        ...


Item = TypeVar("Item", bound=Entry)


class Named(Mapping[str, Item]):
    """Entries by name. A value: copyable, `add` refuses a second entry of the same name."""

    taken: ClassVar[type[SdmergeError]]
    """What `add` raises for a name that is taken."""

    def __init__(self, entries: Iterable[Item] = ()) -> None:
        self._entries: dict[str, Item] = {}
        for entry in entries:
            self.add(entry)

    @abstractmethod
    def unknown(self, name: str) -> Item:
        """The entry that a name stands for without being there; else raises the error to show."""

    def add(self, entry: Item) -> None:
        """Add `entry`; the name must be free."""
        name, module = entry.name, entry.body.__module__
        if name in self._entries:
            other = self._entries[name].body.__module__
            raise self.taken(f"'{name}' is defined in {module} and in {other}")
        self._entries[name] = entry

    def __getitem__(self, name: str) -> Item:
        return self._entries[name] if name in self._entries else self.unknown(name)

    def __iter__(self) -> Iterator[str]:
        return iter(self._entries)

    def __len__(self) -> int:
        return len(self._entries)
