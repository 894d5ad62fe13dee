"""Names with parameters, as typed: `pgd:steps=50,restarts=2`, `jpeg:quality=75`, `timed:share=0.1`."""

import dataclasses
import functools
import math
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Annotated, Any, Literal, get_args, get_origin, get_type_hints

from rlattack.errors import InvalidInput, UnknownName, nearest, told_by
from rlattack.registry import Registry

REQUIRED = "required"
"""In place of a default, for a parameter that has none."""
_QUOTES = "a value with a comma or a plus stands in double quotes"


@dataclass(frozen=True, kw_only=True)
class NoParameters:
    """For what takes no parameters."""


@dataclass(frozen=True)
class Begins:
    """Of a text that begins in one way, in an `Annotated` type: `agent:` of `agent:NAME`."""

    prefix: str
    words: str
    """The whole, for messages."""


@dataclass(frozen=True)
class Range:
    """The numbers that a parameter takes, in an `Annotated` type: from `least` to `most`, `above` and `below` others.

    >>> Range(above=0, most=1).words
    'above 0 and at most 1'
    """

    least: float = -math.inf
    most: float = math.inf
    above: float = -math.inf
    below: float = math.inf

    @property
    def words(self) -> str:
        """What a number of it is, for messages."""
        ends = {"above": self.above, "at least": self.least, "below": self.below, "at most": self.most}
        return " and ".join(f"{word} {end:,.15g}" for word, end in ends.items() if math.isfinite(end))

    def __contains__(self, value: object) -> bool:
        if not isinstance(value, int | float) or not math.isfinite(value):
            return False
        return self.least <= value <= self.most and self.above < value < self.below


Count = Annotated[int, Range(least=1)]
"""How many, at least one."""
Positive = Annotated[float, Range(above=0)]
NotNegative = Annotated[float, Range(least=0)]
Fraction = Annotated[float, Range(above=0, most=1)]
"""Part of a whole, and not nothing."""


@dataclass(frozen=True)
class Spec:
    """A name of a registry and parameters, as typed on the command line."""

    name: str
    parameters: Mapping[str, Any] = field(default_factory=dict)

    def __str__(self) -> str:
        """As it would be typed."""
        listed = ",".join(f"{key}={_written(value)}" for key, value in self.parameters.items())
        return f"{self.name}:{listed}" if listed else self.name


def split_spec(text: str, known: Iterable[str]) -> tuple[str, str]:
    """The name of a text, one of those that are known or the place of a class, and the parameters behind it.

    >>> [split_spec(text, ["pgd"]) for text in ("pgd:steps=50,restarts=2", "my_module:Mine:size=1", "my_module:Mine")]
    [('pgd', 'steps=50,restarts=2'), ('my_module:Mine', 'size=1'), ('my_module:Mine', '')]
    """
    name, _, rest = text.partition(":")
    attribute, _, after = rest.partition(":")
    is_place = attribute and "=" not in attribute and name not in known
    return (f"{name}:{attribute}", after) if is_place else (name, rest)


def parse_spec(what: str, registry: Registry[type[Any]], text: str) -> Spec:
    """Reads `NAME` or `NAME:key=value,...`; a class that has no name of its own is `module:Class`.

    Args:
        what: What is named, for messages: `attack`.
        registry: Its classes, each with a dataclass `config_type` of its parameters.
        text: As typed; a value in double quotes may hold what else divides a text: commas, and plus signs.

    Raises:
        UnknownName: No such name or parameter.
        InvalidInput: A value of the wrong type or range.
    """
    name, rest = split_spec(text, registry)
    kind = registry.get(name)
    if not hasattr(kind, "config_type"):
        raise InvalidInput(f"{what} {name}: expected a class of {what}s, got {kind!r}")
    kinds = get_type_hints(kind.config_type, include_extras=True)
    parameters: dict[str, Any] = {}
    for item in filter(None, split_outside(rest, ",")):
        key, equals, value = item.partition("=")
        value = value[1:-1] if re.fullmatch(r'"[^"]*"', value) else value
        if not equals and key not in kinds and parameters:
            raise InvalidInput(f"{what} {name}: expected key=value, got {key!r}; {_QUOTES}")
        check_name(what, name, kind, key)
        if not equals or key in parameters:
            raise InvalidInput(f"{what} {name}: expected {key}=value once, got {text!r}")
        parameters[key] = _read(f"{what} {name}: {key}", value, kinds[key])
    configured(what, name, kind, parameters)
    return Spec(name, parameters)


def split_outside(text: str, mark: str) -> list[str]:
    """Splits a text at a mark, a regular expression, but not within double quotes.

    >>> split_outside('agent="a,b.model",transfer=true', ",")
    ['agent="a,b.model"', 'transfer=true']
    """
    parts, start = [], 0
    for found in re.finditer(rf'"[^"]*"|{mark}', text):
        if not found[0].startswith('"'):
            parts.append(text[start : found.start()])
            start = found.end()
    return [*parts, text[start:]]


def canonical(what: str, registry: Registry[type[Any]], text: str) -> str:
    """Spells a name with its parameters in the one way that all spellings of it share: `jpeg` for `jpeg:quality=75`.

    Arguments and errors are those of `parse_spec`.

    Returns:
        The name and the parameters that differ from their defaults, in alphabetical order.
    """
    spec = parse_spec(what, registry, text)
    defaults = full_parameters(registry.get(spec.name), {})
    given = sorted(spec.parameters.items())
    changed = {key: value for key, value in given if defaults[key] is REQUIRED or value != defaults[key]}
    return str(Spec(spec.name, changed))


def make(what: str, registry: Registry[type[Any]], text: str) -> Any:
    """Makes what a text names: an object of the registered class, given its parameters; errors as in `parse_spec`."""
    spec = parse_spec(what, registry, text)
    kind = registry.get(spec.name)
    with told_by(f"{what} {spec.name}"):
        return kind(configured(what, spec.name, kind, spec.parameters))


def parameters_of(kind: type[Any]) -> dict[str, Any]:
    """The parameters of a registered class with their defaults; `required` for one that has none."""
    found = {}
    for one in dataclasses.fields(kind.config_type):
        made = one.default_factory
        given = one.default if made is dataclasses.MISSING else made()
        found[one.name] = REQUIRED if given is dataclasses.MISSING else given
    return found


def ranges_of(kind: type[Any]) -> Mapping[str, Range]:
    """The numbers that parameters of a registered class take, of those that say so; another default keeps them."""
    return ranges_in(kind.config_type)


def ranges_in(config: Any) -> Mapping[str, Range]:  # a class; not every one of them is Hashable to a type checker
    """The same of a dataclass of parameters."""
    return _ranges(config)


@functools.cache
def _ranges(config: Any) -> Mapping[str, Range]:
    return {
        name: mark
        for owner in reversed(config.__mro__)
        for name, hint in get_type_hints(owner, include_extras=True).items()
        for choice in (hint, *get_args(hint))
        for mark in getattr(choice, "__metadata__", ())
        if isinstance(mark, Range)
    }


def full_parameters(kind: type[Any], parameters: Mapping[str, Any]) -> dict[str, Any]:
    """All parameters of a registered class, those that are not given by their defaults, as JSON tells them apart."""
    hints = _hints(kind.config_type)
    return {name: _typed(value, hints[name]) for name, value in {**parameters_of(kind), **parameters}.items()}


_hints = functools.cache(get_type_hints)


def configured(what: str, name: str, kind: type[Any], parameters: Mapping[str, Any]) -> Any:
    """The parameters of a registered class as its dataclass.

    Raises:
        InvalidInput: One that has no default is missing, or a value is out of range.
    """
    missing = [key for key, default in parameters_of(kind).items() if default is REQUIRED and key not in parameters]
    if missing:
        raise InvalidInput(f"{what} {name}: expected {missing[0]}=value, which has no default")
    for key, numbers in ranges_of(kind).items():
        value = parameters.get(key)
        if value is not None and value not in numbers:
            raise InvalidInput(f"{what} {name}: {key}: expected a number {numbers.words}, got {_written(value)}")
    try:
        return kind.config_type(**parameters)
    except InvalidInput as error:  # of a configuration that several share, and that has no name
        said = str(error)
        raise InvalidInput(said if said.startswith(name) else f"{what} {name}: {said}") from error


def check_name(what: str, name: str, kind: type[Any], key: str) -> None:
    """Refuses a parameter that a registered class does not have.

    Raises:
        UnknownName: It has none of that name.
    """
    known = [one.name for one in dataclasses.fields(kind.config_type)]
    if key not in known:
        it_has = ", ".join(known) or "none"
        raise UnknownName(f"{what} {name} has no parameter {key!r}{nearest(key, known)}; it has: {it_has}")


def _read(what: str, text: str, kind: Any) -> Any:
    """Turns text into a value of an annotated type: numbers, booleans, text, `none`, Literals and unions of them."""
    for choice in _choices(kind):
        begins = _begins(choice)
        if begins is not None and text.startswith(begins.prefix) and text != begins.prefix:
            return text
        if get_origin(choice) is Literal and text in get_args(choice):
            return text
        choice = choice if begins else _plain(choice)
        if choice is bool and text in ("true", "false"):
            return text == "true"
        if choice is type(None) and text == "none":
            return None
        if choice in (int, float):
            try:
                return choice(text)
            except ValueError:
                continue
        if choice is str and text:
            return text
    raise InvalidInput(f"{what}: expected {_words(kind)}, got {text!r}")


def _choices(kind: Any) -> tuple[Any, ...]:
    """The types of a union; one that is none is its own."""
    return get_args(kind) if get_origin(kind) not in (None, Literal, Annotated) else (kind,)


def _plain(kind: Any) -> Any:
    """A type without what is said about it."""
    return get_args(kind)[0] if get_origin(kind) is Annotated else kind


def _begins(kind: Any) -> Begins | None:
    """How a text of that type begins, where that is said."""
    return next((one for one in getattr(kind, "__metadata__", ()) if isinstance(one, Begins)), None)


def _typed(value: Any, kind: Any) -> Any:
    """A whole number as a float where it stands for one: `1` and `1.0` are one value."""
    choices = get_args(kind) or (kind,)
    return float(value) if type(value) is int and float in choices and int not in choices else value


def _words(kind: Any) -> str:
    if get_origin(kind) is Literal:
        return " or ".join(repr(value) for value in get_args(kind))
    if (begins := _begins(kind)) is not None:
        return begins.words
    kind = _plain(kind)
    names = {bool: "true or false", int: "a whole number", float: "a number", str: "text", type(None): "none"}
    return names.get(kind) or " or ".join(_words(choice) for choice in get_args(kind))


def _written(value: Any) -> str:
    text = str(value).lower() if isinstance(value, bool | None) else str(value)
    return f'"{text}"' if isinstance(value, str) and re.search(r"[,+]", text) else text
