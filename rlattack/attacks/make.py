"""Attacks by name: `fgsm`, `pgd:steps=50,restarts=2`."""

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, get_args, get_origin, get_type_hints

from rlattack.attacks.base import Attack
from rlattack.budget import Budget
from rlattack.errors import InvalidInput, UnknownName, nearest
from rlattack.registry import Registry

__all__ = ["ATTACKS", "AttackSpec", "make_attack", "parse_attack"]

ATTACKS: Registry[type[Attack[Any]]] = Registry(
    "attack",
    {
        "noise": "rlattack.attacks.noise:Noise",
        "fgsm": "rlattack.attacks.fgsm:FGSM",
        "pgd": "rlattack.attacks.pgd:PGD",
        "pixel": "rlattack.attacks.pixel:Pixel",
        "pixel-de": "rlattack.attacks.pixel_de:PixelDE",
    },
)


@dataclass(frozen=True)
class AttackSpec:
    """An attack and its parameters, as typed on the command line; `none` is the clean game."""

    name: str
    parameters: Mapping[str, Any] = field(default_factory=dict)


def parse_attack(text: str) -> AttackSpec:
    """Reads `NAME` or `NAME:key=value,...`.

    Raises:
        UnknownName: No such attack or parameter.
        InvalidInput: A value of the wrong type or range.
    """
    name, _, rest = text.partition(":")
    if name == "none":
        if rest:
            raise InvalidInput(f"attack none takes no parameters, got {rest!r}")
        return AttackSpec("none")
    config_type = ATTACKS.get(name).config_type
    kinds = get_type_hints(config_type)
    parameters: dict[str, Any] = {}
    for item in filter(None, rest.split(",")):
        key, equals, value = item.partition("=")
        _check_name(name, config_type, key)
        if not equals or key in parameters:
            raise InvalidInput(f"attack {name}: expected {key}=value once, got {text!r}")
        parameters[key] = _read(f"attack {name}: {key}", value, kinds[key])
    config_type(**parameters)
    return AttackSpec(name, parameters)


def make_attack(name: str, budget: Budget, **parameters: Any) -> Attack[Any]:
    """Builds an attack.

    Args:
        name: As `rlattack list attacks` shows.
        budget: Norm, size and space.
        **parameters: The attack's own, such as `steps=50` for `pgd`.

    Raises:
        UnknownName: No such attack or parameter.
        InvalidInput: A parameter or norm that does not fit.
    """
    kind = ATTACKS.get(name)
    for key in parameters:
        _check_name(name, kind.config_type, key)
    return kind(budget, kind.config_type(**parameters))


def _check_name(attack: str, config_type: type[Any], key: str) -> None:
    known = [field.name for field in dataclasses.fields(config_type)]
    if key not in known:
        it_has = ", ".join(known) or "none"
        raise UnknownName(f"attack {attack} has no parameter {key!r}{nearest(key, known)}; it has: {it_has}")


def _read(what: str, text: str, kind: Any) -> Any:
    """Turns text into a value of an annotated type: numbers, booleans, `none`, Literals and unions of them."""
    for choice in get_args(kind) if get_origin(kind) not in (None, Literal) else (kind,):
        if get_origin(choice) is Literal and text in get_args(choice):
            return text
        if choice is bool and text in ("true", "false"):
            return text == "true"
        if choice is type(None) and text == "none":
            return None
        if choice in (int, float):
            try:
                return choice(text)
            except ValueError:
                continue
    raise InvalidInput(f"{what}: expected {_words(kind)}, got {text!r}")


def _words(kind: Any) -> str:
    if get_origin(kind) is Literal:
        return " or ".join(repr(value) for value in get_args(kind))
    names = {bool: "true or false", int: "a whole number", float: "a number", type(None): "none"}
    return names.get(kind) or " or ".join(_words(choice) for choice in get_args(kind))
