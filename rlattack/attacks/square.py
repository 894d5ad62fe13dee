"""Square: random squares at the ends of the budget, kept where they help (Andriushchenko et al. 2020, alg. 1 and 2).

Of observations that are numbers in a row, a square is a run of neighbours.
"""

import math
from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

from rlattack.attacks.objective import Climb
from rlattack.attacks.query import Best, QueryAttack, QueryConfig
from rlattack.budget import Ball
from rlattack.draws import Draws
from rlattack.specs import Fraction

_HALVINGS = (10, 50, 200, 1000, 2000, 4000, 6000, 8000)
"""Questions of 10,000 after which the part of entries that a square changes is halved (sec. 4.1 and app. B)."""


@dataclass(frozen=True, kw_only=True)
class SquareConfig(QueryConfig):
    """Parameters of `square`."""

    part: Fraction = 0.8
    """Part of the entries that the first square changes."""


class Square(QueryAttack[SquareConfig]):
    """Searches at random among perturbations of squares at the ends of an linf budget."""

    name = "square"
    title = "Square"
    reaches: ClassVar[tuple[str, ...]] = ("linf",)
    config_type = SquareConfig

    def search(self, climb: Climb, obs: Tensor, reach: Ball, draws: Draws) -> Tensor:
        """Starts with stripes, and then tries one square after another."""
        grid = _Grid(obs.shape[1:], reach)
        signs = grid.stripes(draws)
        best = Best(climb, reach, obs, obs + reach.spread(signs * self.budget.size))
        while best.spent < self.config.queries:
            part = self.config.part / 2 ** sum(best.spent * 10_000 / self.config.queries > at for at in _HALVINGS)
            tried = grid.with_square(signs, part, draws)
            better = best.offer(obs + reach.spread(tried * self.budget.size))
            signs = torch.where(better[:, None], tried, signs)
        return best.point


class _Grid:
    """How free entries lie: channels of rows and columns; numbers in a row are one row."""

    def __init__(self, shape: torch.Size, reach: Ball) -> None:
        pictures = len(shape) == 3 and reach.free is None
        self.entries = reach.entries
        self.width = shape[-1] if pictures else reach.entries
        self.height = shape[-2] if pictures else 1
        self.channels = reach.entries // (self.height * self.width)

    def stripes(self, draws: Draws) -> Tensor:
        """A sign for every column of each channel, shape (slots, entries)."""
        return self._flat(draws.signs(self.channels, 1, self.width).expand(-1, -1, self.height, -1))

    def with_square(self, signs: Tensor, part: float, draws: Draws) -> Tensor:
        """The same with one square of new signs, a sign a channel, somewhere in each slot."""
        side = math.sqrt(part * self.height * self.width)
        height = min(self.height, max(1, round(side))) if self.height > 1 else 1
        width = min(self.width, max(1, round(part * self.width if self.height == 1 else side)))
        corner = draws.uniform(2)
        top = (corner[:, 0] * (self.height - height + 1)).floor()[:, None]
        left = (corner[:, 1] * (self.width - width + 1)).floor()[:, None]
        rows, columns = torch.arange(self.height), torch.arange(self.width)
        inside = ((rows >= top) & (rows < top + height))[:, :, None] & ((columns >= left) & (columns < left + width))[
            :, None, :
        ]
        new = draws.signs(self.channels, 1, 1).expand(-1, -1, self.height, self.width)
        return torch.where(self._flat(inside[:, None].expand_as(new)), self._flat(new), signs)

    def _flat(self, values: Tensor) -> Tensor:
        return values.reshape(len(values), self.entries)
