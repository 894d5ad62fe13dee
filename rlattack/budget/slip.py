"""Actions that slip: by chance another one is done than was chosen."""

import math
from typing import Any

import torch
from gymnasium import Space
from gymnasium.spaces import Box
from torch import Tensor

from rlattack.arrays import rowwise
from rlattack.budget.change import Change
from rlattack.errors import BudgetError


class Slip(Change):
    """Does an action drawn uniformly from all in place of the chosen one, so often in per cent of the steps."""

    kind = "slip"
    unit = "per cent"
    most = 100.0
    signed = False

    def _lay(self, space: Space[Any]) -> None:
        super()._lay(space)
        self._continuous = isinstance(space, Box)
        if self._continuous and not (self.low.isfinite() & self.high.isfinite()).all():
            raise BudgetError(f"slip draws an action from a range, and not all have one here: {space}")

    @property
    def numbers(self) -> int:
        """Whether it slips, and to which action: one an entry."""
        return 1 + math.prod(self.low.shape[1:])

    def apply(self, shown: Tensor, severities: Tensor, details: Tensor) -> Tensor:
        """What is done."""
        drawn = details[:, 1:].reshape(shown.shape)
        span = self.high - self.low
        other = self.low + drawn * span if self._continuous else torch.minimum((drawn * (span + 1)).long(), self.high)
        return torch.where(rowwise(details[:, 0] < severities / 100, shown), other, shown)
