"""A camera that is not level, stands a little aside or too near (Engstrom et al. 2019, sec. 3).

For policies, Korkmaz 2023 showed how little of such changes they bear, by one that knows nothing of them.
"""

from typing import ClassVar

from rlattack.attacks.natural import Natural
from rlattack.budget import Change, Rotation


class Rotate(Natural[Rotation]):
    """Turns what the victim sees by eps degrees, counter-clockwise and the same in every step."""

    name = "rotate"
    reaches: ClassVar[tuple[str, ...]] = ("rotation",)
    standard = (1.0, 3.0)


class ShiftX(Natural[Change]):
    """Shifts what the victim sees to the right by eps pixels."""

    name = "shift-x"
    title = "A shift to the right"
    reaches: ClassVar[tuple[str, ...]] = ("shift-x",)
    standard = (1.0, 2.0)


class ShiftY(Natural[Change]):
    """Shifts what the victim sees down by eps pixels."""

    name = "shift-y"
    title = "A shift down"
    reaches: ClassVar[tuple[str, ...]] = ("shift-y",)
    standard = (1.0, 2.0)


class Zoom(Natural[Change]):
    """Enlarges what the victim sees by eps per cent about its centre."""

    name = "zoom"
    title = "A zoom"
    reaches: ClassVar[tuple[str, ...]] = ("zoom",)
    standard = (2.0, 5.0)
