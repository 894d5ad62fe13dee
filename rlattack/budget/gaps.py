"""What does not arrive, by chance: single entries or whole observations, and what stands in their place.

A sensor that is silent gives NaN, which no agent was made for: the victim gets what the card of the game says, 0 by
default, or the value that came last.
"""

import math
from typing import Any, ClassVar

import torch
from gymnasium import Space
from torch import Tensor

from rlattack.budget.change import Change


class _Gaps(Change):
    unit = "per cent"
    most = 100.0
    signed = False
    remembers = True
    entries: ClassVar[bool]
    """Whether each entry, or pixel in all frames and colours, is missing by itself; else all or nothing is."""
    last: ClassVar[bool]
    """Whether the value that was received last stands in, else that of the card."""

    def _lay(self, space: Space[Any]) -> None:
        super()._lay(space)
        shape = self.low.shape[1:]
        self._places = (1, *([1] * len(shape))) if not self.entries else tuple(self.low.shape)
        if self.entries and self._picture:
            self._places = (1, 1, *(shape[1:] if self._stacked else shape[:2]))

    @property
    def numbers(self) -> int:
        """One a place that may be missing."""
        return math.prod(self._places)

    def apply(self, shown: Tensor, severities: Tensor, details: Tensor) -> Tensor:
        """What is there, and what stands in where nothing is."""
        gone = (details < severities[:, None] / 100).view(-1, *self._places[1:])
        there = self._past.received(shown) if self.last else torch.full_like(shown, self._stand_in)
        return torch.where(gone, there, shown)


class Missing(_Gaps):
    """Entries, or pixels, are missing by chance, and are what stands in then."""

    kind = "missing"
    entries, last = True, False


class Stale(_Gaps):
    """Entries, or pixels, are missing by chance, and keep the value that was received last."""

    kind = "stale"
    entries, last = True, True


class Blank(_Gaps):
    """Observations are missing by chance, and are all what stands in then, of 0 a black screen."""

    kind = "blank"
    entries, last = False, False


class Dropped(_Gaps):
    """Observations, or frames, are dropped by chance, and the one that was received last stays."""

    kind = "dropped"
    entries, last = False, True
