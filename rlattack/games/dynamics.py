"""How the world of a game behaves, in the words of a command: masses, friction, gravity, wind, forces on bodies.

Forces that are bounded are the adversary of RARL (Pinto et al. 2017, sec. 4); masses and friction are what is varied by
those who ask how a policy stands another world (Pinto et al. 2017, sec. 4.4).
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, Protocol, runtime_checkable

from rlattack.arrays import FloatArray, IntArray
from rlattack.errors import InvalidInput, UnknownName, nearest
from rlattack.games.game import Game


@dataclass(frozen=True)
class Kind:
    """A kind of what can behave otherwise.

    Attributes:
        usual: The value of a world that is as its scene says.
        least: The least value that makes sense.
        most: The largest one.
        body: Whether it is of one body always, of one or of all, or of the whole world.
    """

    usual: float
    least: float
    most: float
    body: Literal["always", "maybe", "never"]


_FORCE, _WIND = Kind(0.0, -10_000.0, 10_000.0, "always"), Kind(0.0, -100.0, 100.0, "never")
KINDS: dict[str, Kind] = {
    "mass": Kind(1.0, 0.01, 100.0, "maybe"), "friction": Kind(1.0, 0.0, 100.0, "maybe"),
    "gravity": Kind(1.0, -10.0, 10.0, "never"),
    **{f"wind-{axis}": _WIND for axis in "xyz"}, **{f"force-{axis}": _FORCE for axis in "xyz"},
}  # fmt: skip
"""Mass, friction and gravity times the scene's own, wind in metres a second, forces in newtons along an axis of the
world."""
_WAY = "mass=0.5..2, force-x@BODY=-5..5"


@dataclass(frozen=True)
class Parameter:
    """One number that says how a world behaves: `mass`, `friction@foot`, `force-x@torso`."""

    kind: str
    body: str = ""

    def __str__(self) -> str:
        return f"{self.kind}@{self.body}" if self.body else self.kind

    @property
    def usual(self) -> float:
        """Its value in a world that is as its scene says."""
        return KINDS[self.kind].usual


@dataclass(frozen=True)
class Region:
    """A box of worlds around the one that a scene says.

    Attributes:
        parameters: What may be otherwise.
        low: The least value of each, at most its usual one.
        high: The largest, at least its usual one.
        point: The one world that was named, where no range was.
    """

    parameters: tuple[Parameter, ...]
    low: tuple[float, ...]
    high: tuple[float, ...]
    point: tuple[float, ...] | None

    def check_bodies(self, bodies: Sequence[str]) -> None:
        """Refuses bodies that the world does not have.

        Args:
            bodies: Names of those that it has; none where no physics engine moves any.

        Raises:
            InvalidInput: There is no physics engine.
            UnknownName: No such body.
        """
        if not bodies:
            raise InvalidInput("expected a game of a physics engine, as those of mujoco/: this one has none")
        for one in self.parameters:
            if one.body and one.body not in bodies:
                raise UnknownName(f"{one}: expected a body, {', '.join(bodies)}; got {one.body!r}")

    def words(self, values: Sequence[float]) -> str:
        """Says a world as it would be typed: `mass=0.5,force-x@torso=-5`."""
        return ",".join(f"{one}={value:.6g}" for one, value in zip(self.parameters, values, strict=True))


@runtime_checkable
class Bendable(Game, Protocol):
    """A game whose world can be made to behave otherwise in each of its slots."""

    def bend(self, slots: IntArray, parameters: Sequence[Parameter], values: FloatArray) -> None:
        """Makes the worlds of these slots what is said of them, from the next reset on; all else becomes usual again.

        Args:
            slots: Numbers of slots.
            parameters: What is otherwise.
            values: Of each, shape (slots named, parameters).
        """

    def bent(self, parameters: Sequence[Parameter]) -> FloatArray:
        """How the worlds behave now, read from the engine itself, shape (slots, parameters)."""


def parse_region(text: str) -> Region:
    """Reads `NAME=LOW..HIGH` and `NAME=VALUE`, joined by commas; a value reaches from the usual one to itself.

    Raises:
        InvalidInput: No such parameter, a value that is none, out of range or as usual, or what is named twice.

    >>> parse_region("mass=0.5..2,force-x@torso=-5").low
    (0.5, -5.0)
    """
    rows = [_read(item) for item in text.split(",")]
    parameters = [parameter for parameter, _, _ in rows]
    for place, one in enumerate(parameters):
        for other in parameters[:place]:
            if one.kind == other.kind and (one.body == other.body or not (one.body and other.body)):
                raise InvalidInput(f"{other} and {one}: expected what is not the same, or a part of the other")
    ranges = [(min(usual, *values), max(usual, *values)) for _, usual, values in rows]
    single = all(len(values) == 1 for _, _, values in rows)
    return Region(
        tuple(parameters), tuple(low for low, _ in ranges), tuple(high for _, high in ranges),
        tuple(values[0] for _, _, values in rows) if single else None,
    )  # fmt: skip


def _read(item: str) -> tuple[Parameter, float, tuple[float, ...]]:
    """A parameter, its usual value, and the one or two that were named."""
    name, equals, value = item.strip().partition("=")
    kind, at, body = name.partition("@")
    if kind not in KINDS:
        raise InvalidInput(f"expected {', '.join(KINDS)}, as {_WAY}; got {kind!r}{nearest(kind, KINDS)}")
    about = KINDS[kind]
    if (at and about.body == "never") or (not body and (at or about.body == "always")):
        way = f"{kind}@BODY=" if about.body == "always" else f"{kind}="
        raise InvalidInput(f"{name}: expected {way}, as {_WAY}")
    values = [_number(name, part, about) for part in value.split("..", 1)] if equals else []
    if not values or values != sorted(values):
        raise InvalidInput(f"{name}: expected {name}=VALUE or {name}=LOW..HIGH, got {item.strip()!r}")
    if all(one == about.usual for one in values):
        raise InvalidInput(f"{name}: expected another value than the usual one, {about.usual:g}")
    if len(values) == 2 and not values[0] <= about.usual <= values[1]:
        raise InvalidInput(f"{name}: expected a range around the usual value, {about.usual:g}, got {value}")
    return Parameter(kind, body), about.usual, tuple(values)


def _number(name: str, text: str, about: Kind) -> float:
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not about.least <= value <= about.most:
        raise InvalidInput(f"{name}: expected a number from {about.least:g} to {about.most:g}, got {text!r}")
    return value
