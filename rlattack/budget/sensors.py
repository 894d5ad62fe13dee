"""Sensors that are set wrongly: what they measure has an offset, or another unit."""

from typing import Any, ClassVar

from gymnasium import Space
from torch import Tensor

from rlattack.arrays import rowwise
from rlattack.budget.change import Change
from rlattack.errors import BudgetError


class _Numbers(Change):
    instead: ClassVar[str]
    """The change of pictures that is the same."""

    def _lay(self, space: Space[Any]) -> None:
        super()._lay(space)
        if self._picture:
            raise BudgetError(f"{self.kind} is for numbers, this game shows images: use {self.instead}")


class Bias(_Numbers):
    """Adds the same to every entry, in units of the space: standard deviations, or the game's own."""

    kind = "bias"
    unit = "units of the space"
    most = 1e6
    in_space = True
    instead = "brightness"

    def apply(self, shown: Tensor, severities: Tensor, details: Tensor) -> Tensor:
        """Numbers that are off by so much."""
        assert self._scale is not None, "given by the budget"
        return shown + rowwise(severities, shown) * self._scale


class Gain(_Numbers):
    """Makes every entry larger by per cents of itself."""

    kind = "gain"
    unit = "per cent"
    most = 100.0
    instead = "contrast"

    def apply(self, shown: Tensor, severities: Tensor, details: Tensor) -> Tensor:
        """Numbers of another size."""
        return shown * (1 + rowwise(severities, shown) / 100)
