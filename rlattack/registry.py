"""A lazy registry: names that are listed at once and imported when first used."""

import importlib
from collections.abc import Iterator
from typing import Generic, TypeVar, cast

from rlattack.errors import UnknownName, nearest

__all__ = ["Registry"]

T = TypeVar("T")


class Registry(Generic[T]):
    """Maps names to objects given as `"module:attribute"`, imported on demand.

    Args:
        kind: What the names stand for, used in messages ("attack").
        entries: Name to `"module:attribute"`.
    """

    def __init__(self, kind: str, entries: dict[str, str]) -> None:
        self._kind = kind
        self._entries = dict(entries)

    def __iter__(self) -> Iterator[str]:
        return iter(self._entries)

    def add(self, name: str, target: str) -> None:
        """Adds a name, for code outside the project. A name is given once."""
        if self._entries.setdefault(name, target) != target:
            raise ValueError(f"{self._kind} {name!r} is registered already as {self._entries[name]}")

    def get(self, name: str) -> T:
        """Imports and returns the object called `name`.

        Raises:
            UnknownName: No such name; the message names the closest one.
        """
        if name not in self._entries:
            raise UnknownName(f"no {self._kind} {name!r}{nearest(name, self)} (known: {', '.join(self._entries)})")
        module, _, attribute = self._entries[name].partition(":")
        return cast(T, getattr(importlib.import_module(module), attribute))
