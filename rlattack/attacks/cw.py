"""The l2 attack of Carlini and Wagner 2017 (sec. VI-A): the smallest change that changes what a victim does.

What it sees is written as the tanh of free numbers, entry by entry, where the game has a range; where it has none it is
that number itself.
"""

from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

from rlattack.attacks.weighted import HingedConfig, Trade, Weighted
from rlattack.budget import Ball

_INSIDE = 1 - 1e-6
"""How near to an end of its range an entry starts, as a share of the way to it."""
_MEAN, _SQUARE, _TINY = 0.9, 0.999, 1e-8
"""Adam's decay rates and epsilon (Kingma and Ba 2015)."""


@dataclass(frozen=True, kw_only=True)
class CWConfig(HingedConfig):
    """Parameters of `cw`; its authors take 10,000 steps of 0.01 for each of 9 weights, for larger perturbations."""

    steps: int = 30
    """Gradients for each weight."""
    step: float = 2e-4
    """Length of Adam's steps, as a share of half the range of what is seen; in units of the space where it has none."""


class CW(Weighted[CWConfig]):
    """Minimises the squared size of a perturbation and a weighted hinge of the scores by Adam."""

    name = "cw"
    title = "Carlini and Wagner's attack"
    reaches: ClassVar[tuple[str, ...]] = ("l2",)
    config_type = CWConfig

    def minimise(self, trade: Trade) -> Tensor:
        """Takes Adam's steps in the free numbers."""
        start = _Bent(trade.obs, trade.reach)
        free, mean, square = (torch.zeros_like(trade.obs) for _ in range(3))
        enough = torch.zeros_like(trade.searching)
        for step in range(1, self.config.steps + 1):
            moved, slope = start.at(free)
            shown = trade.reach.settle(trade.obs + trade.reach.only_free(moved) * trade.reach.scale, trade.obs)
            grad, _, out = trade.slope(shown, trade.hinge)
            enough = enough | trade.offer(shown, out)
            grad = (grad + 2 * trade.delta(shown)) * slope
            mean, square = _MEAN * mean + (1 - _MEAN) * grad, _SQUARE * square + (1 - _SQUARE) * grad.square()
            way = mean / (1 - _MEAN**step) / ((square / (1 - _SQUARE**step)).sqrt() + _TINY)
            free = free - self.config.step * way
        return enough


class _Bent:
    """Perturbations in units of the space as a function of free numbers that stays within the range."""

    def __init__(self, obs: Tensor, reach: Ball) -> None:
        low, high = (end / reach.scale for end in (reach.low, reach.high))
        self._ranged = low.isfinite() & high.isfinite()
        self._half = torch.where(self._ranged, (high - low) / 2, 1.0)
        middle = torch.where(self._ranged, (high + low) / 2, 0.0)
        share = ((obs / reach.scale - middle) / self._half * _INSIDE).clamp(-_INSIDE, _INSIDE)
        self._start = ((1 + share) / (1 - share)).log() / 2  # torch's own atanh depends on where in memory a row lies

    def at(self, free: Tensor) -> tuple[Tensor, Tensor]:
        """Perturbations and their slopes at free numbers that are 0 at the clean observation."""
        now, clean = (self._start + free).tanh(), self._start.tanh()
        moved, slope = self._half * (now - clean), self._half * (1 - now.square())
        return torch.where(self._ranged, moved, free), torch.where(self._ranged, slope, 1.0)
