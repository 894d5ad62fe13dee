"""A lazy registry: names that are listed at once and imported when first used; other packages add to it."""

import importlib
from collections.abc import Callable, Iterator
from functools import cached_property
from typing import Generic, TypeVar, cast

from rlattack.errors import InvalidInput, UnknownName, nearest

T = TypeVar("T")


class Registry(Generic[T]):
    """Maps names to objects given as `"module:attribute"`, imported on demand.

    Args:
        kind: What the names stand for, used in messages ("attack").
        entries: Name to `"module:attribute"`.
        group: Entry points by which installed packages add names (`rlattack.attacks`); none by default.
    """

    def __init__(self, kind: str, entries: dict[str, str], group: str | None = None) -> None:
        self._kind, self._group = kind, group
        self._entries = dict(entries)
        self._added: dict[str, str] = {}

    def __iter__(self) -> Iterator[str]:
        return iter(self._known)

    @property
    def added(self) -> dict[str, str]:
        """Names that `add` gave this process, which another process must be given too: a spawned worker has none."""
        return dict(self._added)

    def add(self, name: str, target: str) -> None:
        """Adds a name, for code outside the project. A name is given once.

        Raises:
            ValueError: The name is given to something else.
        """
        if self._known.setdefault(name, target) != target:
            raise ValueError(f"{self._kind} {name!r} is registered already as {self._known[name]}")
        if name not in self._entries:
            self._added[name] = target

    def get(self, name: str) -> T:
        """Imports and returns the object called `name`.

        Raises:
            UnknownName: No such name; the message names the closest one.
            InvalidInput: Two installed packages give one name to different things.
        """
        if name not in self._known:
            raise UnknownName(f"no {self._kind} {name!r}{nearest(name, self)} (known: {', '.join(self)})")
        module, _, attribute = self._known[name].partition(":")
        return cast(T, getattr(importlib.import_module(module), attribute))

    @cached_property
    def _known(self) -> dict[str, str]:
        """Every name, with those of installed packages, which are looked for once."""
        known = dict(self._entries)
        if self._group is None:
            return known
        from importlib.metadata import entry_points  # reads the folders of all installed packages

        for point in entry_points(group=self._group):
            if known.setdefault(point.name, point.value) != point.value:
                raise InvalidInput(
                    f"two {self._kind}s are called {point.name!r}: {known[point.name]} and {point.value} of an "
                    "installed package; rename or uninstall one"
                )
        return known


def lazily(package: str, **homes: str) -> Callable[[str], object]:
    """Makes the `__getattr__` of a package whose names are imported when they are first used.

    Args:
        package: Its name.
        homes: To each module of the package (`ball`) its names (`Ball SLACK`).
    """
    modules = {name: module for module, names in homes.items() for name in names.split()}

    def get(name: str) -> object:
        if name not in modules:
            raise AttributeError(f"module {package!r} has no attribute {name!r}")
        return getattr(importlib.import_module(f"{package}.{modules[name]}"), name)

    return get
