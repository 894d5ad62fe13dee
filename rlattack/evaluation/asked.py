"""Attacks as they were asked for: one, or several at once, and a size and a norm of their own."""

import contextlib
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

from rlattack.attacks import ATTACKS, SCHEDULES, Attack, parse_attack
from rlattack.attacks.natural import ALL
from rlattack.budget import CHANGES, NORMS, Shared, Unit
from rlattack.errors import InvalidInput, UnknownName
from rlattack.games.card import Variant
from rlattack.games.forks import check_forks
from rlattack.specs import Spec, split_outside, split_spec

_EPS, _NORM = "eps", "norm"


@dataclass(frozen=True)
class Asked:
    """What plays at once in a cell, and how large it is.

    Attributes:
        specs: One attack, or several.
        sizes: Each plays in cells of its own; None for what has no size. Empty where the command's are meant.
        norm: Empty where the command's is meant.
        own: Of several at once, the size and the norm that each has of its own; None, and empty, where it has none.
    """

    specs: tuple[Spec, ...]
    sizes: tuple[float | None, ...] = ()
    norm: str = ""
    own: tuple[tuple[float | None, str], ...] = ()

    @property
    def each(self) -> tuple[tuple[float | None, str], ...]:
        """The size of its own that each has, None where one of `sizes` is meant, and its norm."""
        return self.own or ((None, self.norm),) * len(self.specs)

    @property
    def all_natural(self) -> bool:
        """Whether it stands for all natural changes."""
        return self.specs[0].name == ALL

    @property
    def on_balls(self) -> bool:
        """Whether its size is that of a norm, and not one of a natural change or a patch."""
        return not self.all_natural and any(set(ATTACKS.get(one.name).reaches) & set(NORMS) for one in self.specs)


def read_attacks(texts: Sequence[str]) -> list[Asked]:
    """Reads attacks, several at once joined by +; `none`, the clean game, is left out.

    Raises:
        UnknownName: No such attack or parameter.
        InvalidInput: A value that does not fit, or the clean game at once with an attack.
    """
    return [found for found in map(_read, texts) if found.specs[0].name != "none"]


def with_sizes(
    asked: Sequence[Asked], sizes: tuple[float | None, ...], natural: Callable[[], Sequence[Spec]]
) -> list[Asked]:
    """Attacks with the sizes at which they play: their own, the command's, or standard ones of the attack.

    Args:
        asked: As they were read; one that stands for all natural changes becomes one for each of them.
        sizes: The command's.
        natural: Gives the natural changes that there are.

    Raises:
        InvalidInput: No size where one is needed, or one that natural changes have not in common.
    """
    if sizes and asked and all(one.all_natural for one in asked):
        like = "".join(f", as {one.name} --eps {ATTACKS.get(one.name).standard[0]:g}" for one in natural()[:1])
        raise InvalidInput(
            f"--eps: {ALL} plays standard severities, each in a unit of its own: leave --eps out, or name one{like}"
        )
    found: list[Asked] = []
    for one in asked:
        if one.all_natural:
            found += [Asked((spec,), ATTACKS.get(spec.name).standard) for spec in natural()]
            continue
        kinds = [ATTACKS.get(spec.name) for spec in one.specs]
        if len(kinds) > 1:
            one = replace(one, own=_standard(one, kinds))
        own = one.sizes or sizes or (kinds[0].standard if len(kinds) == 1 else ())
        left = [kind for kind, (size, _) in zip(kinds, one.each, strict=True) if kind.sized and size is None]
        if any(not kind.is_control for kind in left) and not own:
            raise InvalidInput("--eps: expected at least one size, as in --eps 0.001 0.0025")
        found.append(replace(one, sizes=own if left else (None,)))
    return found


def _standard(asked: Asked, kinds: Sequence[type[Attack[Any]]]) -> tuple[tuple[float | None, str], ...]:
    """The sizes of several at once: one that has a single standard size, as 100 per cent, plays at it by default."""
    return tuple(
        (kind.standard[0] if size is None and len(kind.standard) == 1 else size, norm)
        for kind, (size, norm) in zip(kinds, asked.each, strict=True)
    )


def check_ahead(game: Variant, asked: Sequence[Asked], whens: Sequence[str]) -> None:
    """Refuses what looks ahead in a game that cannot be played on from where it stands.

    Raises:
        InvalidInput: An attack or a schedule does; the message names one that does not.
    """
    names = [spec.name for one in asked for spec in one.specs if not one.all_natural]
    ahead = {f"--attack {name}": "gwc" for name in names if ATTACKS.get(name).foresees}
    timed = [when for when in whens if SCHEDULES.get(split_spec(when, SCHEDULES)[0]).looks_ahead]
    for told, way in (ahead | {f"--when {when}": "random:share=" for when in timed}).items():
        try:
            check_forks(game)
        except InvalidInput as error:
            raise InvalidInput(f"{told}: {error}; use {way}") from error


def _read(text: str) -> Asked:
    # at each + before a letter, so that numbers like 1e+5 stay whole
    parts = split_outside(text, r"\+(?=[^\W\d_])")
    own = [_own(part) for part in parts]
    try:
        specs = tuple(parse_attack(rest) for rest, _ in own)
    except UnknownName as error:
        hint = "; a value with a plus stands in double quotes" * (len(parts) > 1 and "=" in parts[0])
        raise UnknownName(f"{error}{hint}") from error
    if len(specs) == 1:
        return _sized(specs[0], own[0][1])
    if any(spec.name == "none" for spec in specs):
        raise InvalidInput(f"--attack {text}: expected attacks joined by +, and `none` is the clean game")
    if several := [spec.name for spec in specs if spec.name == ALL]:
        raise InvalidInput(f"--attack {text}: expected attacks joined by +, and {several[0]} is many")
    if not any(found for _, found in own):
        return Asked(specs)
    each = [_sized(spec, found) for spec, (_, found) in zip(specs, own, strict=True)]
    return Asked(specs, own=tuple((one.sizes[0] if one.sizes else None, one.norm) for one in each))


def _own(text: str) -> tuple[str, dict[str, str]]:
    """A text without the size and the norm in it, which no attack has as a parameter, and both as typed."""
    name, rest = split_spec(text, ATTACKS)
    config = getattr(ATTACKS.get(name), "config_type", None) if name in ATTACKS else None
    known = getattr(config, "__dataclass_fields__", {})
    items = [(item, *item.partition("=")[::2]) for item in split_outside(rest, ",")]
    found = {key: value for item, key, value in items if "=" in item and key in {_EPS, _NORM} - {*known}}
    kept = ",".join(item for item, key, _ in items if key not in found)
    return (f"{name}:{kept}" if kept else name) if found else text, found


def _sized(spec: Spec, own: dict[str, str]) -> Asked:
    if not own:
        return Asked((spec,))
    told = f"attack {spec.name}"
    kind = ATTACKS.get(spec.name) if spec.name in ATTACKS else None
    if kind is None or (_EPS in own and not kind.sized):
        raise InvalidInput(f"{told}: {next(iter(own))}: it has no size of its own: leave that out")
    norm = own.get(_NORM, "")
    if norm and not set(kind.reaches) & set(NORMS):
        raise InvalidInput(f"{told}: norm: its size counts something of its own: leave norm out")
    if _NORM in own and norm not in NORMS:
        raise InvalidInput(f"{told}: norm: expected one of {', '.join(NORMS)}, got {norm!r}")
    if _EPS not in own:
        return Asked((spec,), norm=norm)
    return Asked((spec,), (_number(own[_EPS], told),), norm)


def _number(text: str, told: str) -> float:
    with contextlib.suppress(ValueError):
        if math.isfinite(value := float(text)):
            return value
    raise InvalidInput(f"{told}: eps: expected a number, got {text!r}")


def space_of(asked: Unit, norm: str) -> Unit:
    """What sizes are counted in: most natural changes in no space, those of numbers by default in deviations.

    Args:
        asked: The space that was asked for.
        norm: What an attack may change.
    """
    if norm in NORMS:
        return asked
    if norm == Shared.kind:
        return "raw"
    in_space = norm in CHANGES and CHANGES[norm].in_space
    return "unit" if not in_space else "sigma" if asked == "unit" else asked
