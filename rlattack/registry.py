"""A lazy registry: names that are listed at once and imported when first used; other packages add to it."""

import importlib.util
import os
import re
import sys
from collections.abc import Callable, Iterable, Iterator
from functools import cached_property
from types import ModuleType
from typing import Generic, TypeVar, cast

from rlattack.errors import InvalidInput, RlattackError, UnknownName, nearest, said_by

T = TypeVar("T")


class Registry(Generic[T]):
    """Maps names to objects given as `"module:attribute"`, imported on demand; such a text is a name itself.

    Args:
        kind: What the names stand for, used in messages ("attack").
        entries: Name to `"module:attribute"`.
        group: Entry points by which installed packages add names (`rlattack.attacks`); none by default.
    """

    def __init__(self, kind: str, entries: dict[str, str], group: str | None = None) -> None:
        self._kind, self._group = kind, group
        self._entries = dict(entries)
        self._added: dict[str, str] = {}
        self._lent: dict[str, T] = {}
        self._from: dict[str, str] = {}  # who gave a name that is not the project's own

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

    def lend(self, name: str, thing: T) -> None:
        """Gives a name to something of this process for as long as that lives, such as a class of a notebook.

        Raises:
            InvalidInput: The name is no word, or somebody else's.
        """
        kind = cast(type, thing)  # or a function: both know where they stand
        taken = name in self._known and name not in self._lent and self._known[name] != _place(kind)
        if taken or not re.fullmatch(r"[A-Za-z_][\w-]*", name):
            why = f"the name of {self._known[name]}" if taken else "no word"
            raise InvalidInput(f"{self._kind} {kind.__qualname__}: its name {name!r} is {why}; give it another `name`")
        self._known[name] = self._added[name] = _place(kind)
        self._lent[name] = thing

    @property
    def lent(self) -> dict[str, T]:
        """What was lent by this process, by its name."""
        return dict(self._lent)

    def get(self, name: str) -> T:
        """Imports and returns the object called `name`.

        Raises:
            UnknownName: No such name; the message names the closest one.
            InvalidInput: It cannot be imported, or two installed packages give one name to different things.
        """
        if name in self._lent:
            return self._lent[name]
        target = self._known.get(name, name if ":" in name else "")
        module, _, attribute = target.partition(":")
        if not target or (name == target and not _is_there(module)):
            raise UnknownName(f"no {self._kind} {name!r}{nearest(name, self)} (known: {', '.join(self)})")
        if target.startswith("rlattack."):
            return cast(T, getattr(importlib.import_module(module), attribute))
        of = f" of {self._from[name]}" if name in self._from else ""
        try:
            found: object = import_own(module)
            for part in attribute.split("."):
                found = getattr(found, part)
            return cast(T, found)
        except RlattackError:
            raise
        except (Exception, SystemExit) as error:  # code of others: anything
            raise InvalidInput(f"{self._kind} {name!r}{of} cannot be imported: {said_by(error)}") from error

    def working(self) -> Iterator[tuple[str, T]]:
        """All names with what they stand for, but those that cannot be imported (`broken`)."""
        for name in list(self):  # what is imported may add some
            try:
                yield name, self.get(name)
            except InvalidInput:
                continue

    def broken(self) -> dict[str, str]:
        """Why names cannot be imported, by name."""
        found = {}
        for name in list(self):  # what is imported may add some
            try:
                self.get(name)
            except InvalidInput as error:
                found[name] = str(error)
        return found

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
            if point.name not in self._entries:
                self._from[point.name] = f"the package {point.dist.name}" if point.dist else "an installed package"
        return known


_plugged: dict[str, None] = {}
"""Plugins of this process, in order."""


def plug(modules: Iterable[str]) -> None:
    """Imports modules of the user's that add games, attacks or others as they are imported (`--plugin`).

    Raises:
        InvalidInput: There is none of that name, or it fails.
    """
    for module in modules:
        try:
            import_own(module)
        except RlattackError:
            raise
        except (Exception, SystemExit) as error:  # the user's code: anything
            raise InvalidInput(f"--plugin {module}: {said_by(error)}") from error
        _plugged[module] = None


def plugged() -> tuple[str, ...]:
    """The plugins of this process, which a spawned one must import too."""
    return tuple(_plugged)


def import_own(module: str) -> ModuleType:
    """Imports a module of the user's, which may lie in the working folder."""
    if (here := os.getcwd()) not in sys.path:
        sys.path.insert(0, here)
    return importlib.import_module(module)


def _is_there(module: str) -> bool:
    """Whether there is a module of that name, as far as that can be told without running it."""
    top = module.partition(".")[0]
    if not top.isidentifier():
        return False
    if top in sys.modules or (importlib.util.find_spec(top) is not None):
        return True
    return any(os.path.exists(os.path.join(os.getcwd(), name)) for name in (top, f"{top}.py"))


def _place(kind: type) -> str:
    return f"{kind.__module__}:{kind.__qualname__}"


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
