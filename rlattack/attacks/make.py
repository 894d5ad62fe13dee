"""Attacks by name: `fgsm`, `pgd:steps=50,restarts=2`; which of them fits what."""

import dataclasses
from typing import Any, Literal, get_args, get_origin, get_type_hints

from rlattack.attacks.attack import REQUIRED, Attack, AttackSpec, Setting, Unfit, parameters_of
from rlattack.budget import Budget
from rlattack.errors import InvalidInput, UnknownName, nearest
from rlattack.policies.distributions import Categorical
from rlattack.registry import Registry

__all__ = ["ATTACKS", "check_attack", "make_attack", "parse_attack", "title_of"]

ATTACKS: Registry[type[Attack[Any]]] = Registry(
    "attack",
    {
        "noise": "rlattack.attacks.noise:Noise",
        "fgsm": "rlattack.attacks.fgsm:FGSM",
        "pgd": "rlattack.attacks.pgd:PGD",
        "pixel": "rlattack.attacks.pixel:Pixel",
        "pixel-de": "rlattack.attacks.pixel_de:PixelDE",
    },
    "rlattack.attacks",
)
_ACTIONS: dict[type[Any], str] = {Categorical: "discrete"}
"""What distributions of actions are called in messages."""


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
    _configured(ATTACKS.get(name), parameters)
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
    return kind(budget, _configured(kind, parameters))


def title_of(name: str) -> str:
    """What an attack is called at the beginning of a sentence; attacks that are not installed by their name."""
    title = ATTACKS.get(name).title if name in ATTACKS else ""
    return title or name[:1].upper() + name[1:]


def check_attack(attack: Attack[Any], setting: Setting) -> None:
    """Checks an attack against where it is to work.

    Raises:
        InvalidInput: It does not fit; where another one does, the message names it.
    """
    try:
        _check(attack, setting)
    except Unfit as error:
        others = [name for name in ATTACKS if _fits(name, attack, setting)]
        raise InvalidInput(f"{error}; use {' or '.join(others)}" if others else str(error)) from None


def _check(attack: Attack[Any], setting: Setting) -> None:
    if not _meets(attack, setting):
        kinds = " or ".join(sorted(_ACTIONS.get(kind, kind.__name__) for kind in attack.needs))
        raise Unfit(f"attack {attack.name}: expected {kinds} actions")
    attack.check(setting)


def _meets(attack: Attack[Any], setting: Setting) -> bool:
    return not attack.needs or isinstance(setting.actions, tuple(attack.needs))


def _fits(name: str, beside: Attack[Any], setting: Setting) -> bool:
    """Whether an attack would do in another one's place, with the parameters that were at fault; no control would."""
    kind, parameters = ATTACKS.get(name), beside.parameters if _meets(beside, setting) else {}
    if name == beside.name or kind.access != beside.access or kind.knowledge == "none":
        return False
    if not set(parameters) <= set(parameters_of(kind)):
        return False
    norm = beside.budget.norm if beside.budget.norm in kind.reaches else kind.reaches[0]
    try:
        budget = dataclasses.replace(beside.budget, norm=norm)  # type: ignore[arg-type]  # checked by Budget
        _check(kind(budget, _configured(kind, parameters)), setting)
    except InvalidInput:
        return False
    return True


def _configured(kind: type[Attack[Any]], parameters: dict[str, Any]) -> Any:
    """The parameters of an attack as its dataclass."""
    missing = [name for name, default in parameters_of(kind).items() if default is REQUIRED and name not in parameters]
    if missing:
        raise InvalidInput(f"attack {kind.name}: expected {missing[0]}=value, which has no default")
    return kind.config_type(**parameters)


def _check_name(attack: str, config_type: type[Any], key: str) -> None:
    known = [field.name for field in dataclasses.fields(config_type)]
    if key not in known:
        it_has = ", ".join(known) or "none"
        raise UnknownName(f"attack {attack} has no parameter {key!r}{nearest(key, known)}; it has: {it_has}")


def _read(what: str, text: str, kind: Any) -> Any:
    """Turns text into a value of an annotated type: numbers, booleans, `none`, Literals, unions of them, or text."""
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
        if choice is str and text:
            return text
    raise InvalidInput(f"{what}: expected {_words(kind)}, got {text!r}")


def _words(kind: Any) -> str:
    if get_origin(kind) is Literal:
        return " or ".join(repr(value) for value in get_args(kind))
    names = {bool: "true or false", int: "a whole number", float: "a number", str: "text", type(None): "none"}
    return names.get(kind) or " or ".join(_words(choice) for choice in get_args(kind))
