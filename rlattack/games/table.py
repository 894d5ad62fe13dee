"""TOML tables as dataclasses, with one clear message for what does not fit."""

import dataclasses
import sys
from typing import Literal, TypeVar, get_args, get_origin

from rlattack.errors import ContentError, nearest

T = TypeVar("T")

_SCALARS = {float: "a finite number", int: "a whole number", bool: "true or false", str: "a string"}


def parse_table(kind: type[T], table: object, where: str) -> T:
    """Builds a dataclass from a TOML table, with one clear message for what does not fit.

    Raises:
        ContentError: Not a table, an unknown or missing key, or a value of the wrong type.
    """
    if not isinstance(table, dict):
        raise ContentError(f"{where}: expected a table, got {table!r}")
    fields = {f.name: f for f in dataclasses.fields(kind)}  # type: ignore[arg-type]  # every caller gives a dataclass
    for key, value in table.items():
        if key not in fields:
            raise ContentError(f"{where}: unknown key {key!r}{nearest(key, fields)}")
        if not _fits(value, fields[key].type):
            raise ContentError(f"{where}: {key} expects {_words(fields[key].type)}, got {value!r}")
    for name, f in fields.items():
        if name not in table and f.default is f.default_factory is dataclasses.MISSING:
            raise ContentError(f"{where}: {name} is missing")
    try:
        return kind(**{key: _as_tuples(value) for key, value in table.items()})
    except ContentError as error:
        raise ContentError(f"{where}: {error}") from error


def positive(table: object, *names: str) -> None:
    """Refuses a number that is not above 0 by a ContentError."""
    for name in names:
        if getattr(table, name) <= 0:
            raise ContentError(f"{name}: expected more than 0, got {getattr(table, name)}")


def not_negative(table: object, *names: str) -> None:
    """Refuses a number below 0 by a ContentError."""
    for name in names:
        if getattr(table, name) < 0:
            raise ContentError(f"{name}: expected 0 or more, got {getattr(table, name)}")


def at_most(table: object, **largest: float) -> None:
    """Refuses a number above the largest that makes sense by a ContentError."""
    for name, bound in largest.items():
        if getattr(table, name) > bound:
            raise ContentError(f"{name}: expected at most {bound:,}, got {getattr(table, name):,}")


def _as_tuples(value: object) -> object:
    return tuple(map(_as_tuples, value)) if isinstance(value, list) else value


def _fits(value: object, expected: object) -> bool:
    """Whether a TOML value fits an annotation made of classes, Literals, tuples and tables of them, None and unions."""
    if expected is float:
        return isinstance(value, int | float) and not isinstance(value, bool) and abs(value) <= sys.float_info.max
    if isinstance(expected, type):
        return type(value) is expected
    arguments = get_args(expected)
    origin = get_origin(expected)
    if origin is Literal:
        return value in arguments
    if origin is dict:
        return isinstance(value, dict)
    if origin is tuple:
        items = isinstance(value, list | tuple) and all(_fits(item, arguments[0]) for item in value)
        return items and (Ellipsis in arguments or len(value) == len(arguments))  # type: ignore[arg-type]  # a sequence
    return any(_fits(value, choice) for choice in arguments if choice is not type(None))


def _words(expected: object) -> str:
    """What a person would call such a value."""
    if isinstance(expected, type) and expected in _SCALARS:
        return _SCALARS[expected]
    choices = [choice for choice in get_args(expected) if choice is not type(None)]
    if get_origin(expected) is Literal:
        return "one of " + ", ".join(map(repr, choices))
    if get_origin(expected) is dict:
        return "a table"
    if get_origin(expected) is tuple:
        several = "several" if Ellipsis in choices else str(len(choices))
        return f"a list of {several}, each {_words(choices[0])}"
    return " or ".join(map(_words, choices))
