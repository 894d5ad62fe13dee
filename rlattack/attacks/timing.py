"""What is seen comes late, stands still or is lost on the way: the delays and dropped frames of a control loop."""

from typing import ClassVar

from rlattack.attacks.natural import Natural
from rlattack.budget import Change


class Delay(Natural[Change]):
    """Shows the victim what was to be seen eps steps ago."""

    name = "delay"
    title = "A delay"
    reaches: ClassVar[tuple[str, ...]] = ("delay",)
    standard = (1.0, 3.0)


class Frozen(Natural[Change]):
    """Holds what the victim sees for eps steps, then looks again."""

    name = "frozen"
    title = "Frozen sight"
    reaches: ClassVar[tuple[str, ...]] = ("frozen",)
    standard = (1.0, 3.0)


class Dropped(Natural[Change]):
    """Loses eps per cent of the observations; the victim sees the last one once more."""

    name = "dropped"
    title = "A loss of observations"
    reaches: ClassVar[tuple[str, ...]] = ("dropped",)
    standard = (10.0, 30.0)


class Blank(Natural[Change]):
    """Loses eps per cent of the observations; the victim sees zeros instead."""

    name = "blank"
    title = "A blanking of observations"
    reaches: ClassVar[tuple[str, ...]] = ("blank",)
    standard = (10.0, 30.0)
