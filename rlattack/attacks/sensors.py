"""Sensors that are set wrongly or silent: an offset, another gain, entries that are missing.

What is silent gives NaN, which no agent was made for: the victim gets what the card of the game says, 0 by default
(`missing`), or the last value (`stale`).
"""

from typing import ClassVar

from rlattack.attacks.natural import Natural
from rlattack.budget import Change


class Bias(Natural[Change]):
    """Adds eps to every number that the victim sees, or to those of --free, in units of --space."""

    name = "bias"
    reaches: ClassVar[tuple[str, ...]] = ("bias",)
    standard = (0.1, 0.5)


class Gain(Natural[Change]):
    """Makes every number that the victim sees, or those of --free, eps per cent larger."""

    name = "gain"
    reaches: ClassVar[tuple[str, ...]] = ("gain",)
    standard = (5.0, 20.0)


class Missing(Natural[Change]):
    """Loses eps per cent of the numbers, or pixels, others in each step; the stand-in of the card is seen."""

    name = "missing"
    title = "A loss of entries"
    reaches: ClassVar[tuple[str, ...]] = ("missing",)
    standard = (1.0, 10.0)


class Stale(Natural[Change]):
    """Loses eps per cent of the numbers, or pixels, others in each step; their last value stands in for them."""

    name = "stale"
    title = "A hold of entries"
    reaches: ClassVar[tuple[str, ...]] = ("stale",)
    standard = (1.0, 10.0)
