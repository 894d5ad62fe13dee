"""The four norms: projections, steepest steps, and random points of their balls."""

import math
from functools import cached_property

import numpy as np
import torch
from torch import Tensor

from rlattack.budget.ball import Ball, Draws

__all__ = ["L0Ball", "L1Ball", "L2Ball", "LinfBall"]

_TINY = torch.finfo(torch.float32).tiny


class LinfBall(Ball):
    """The largest entry."""

    @staticmethod
    def radius_of(eps: float, entries: int) -> float:
        """See `Ball`."""
        return eps

    def _shrink(self, delta: Tensor, radius: float) -> Tensor:
        return delta.clamp_(-radius, radius)

    def _step(self, slope: Tensor, start: Tensor, length: float) -> Tensor:
        return slope.sign().mul_(length)

    def _inside(self, rng: Draws, radius: float) -> Tensor:
        return rng.uniform(self.entries).mul_(2).sub_(1).mul_(radius)

    def _aimless(self, rng: Draws, start: Tensor, length: float) -> Tensor:
        return rng.signs(self.entries).mul_(length)

    def _size(self, delta: Tensor) -> Tensor:
        return delta.abs().amax(dim=1)


class L2Ball(Ball):
    """The root mean square."""

    @staticmethod
    def radius_of(eps: float, entries: int) -> float:
        """See `Ball`."""
        return eps * math.sqrt(entries)

    def _shrink(self, delta: Tensor, radius: float) -> Tensor:
        return delta.mul_((radius / self._size(delta).clamp_min(_TINY)).clamp_max(1.0)[:, None])

    def _step(self, slope: Tensor, start: Tensor, length: float) -> Tensor:
        return (slope / self._size(slope)[:, None].clamp_min(_TINY)).mul_(length)

    def _inside(self, rng: Draws, radius: float) -> Tensor:
        length = rng.uniform(1) ** (1 / self.entries) * radius
        direction = rng.normal(self.entries)
        return direction.mul_(length / self._size(direction)[:, None].clamp_min(_TINY))

    def _size(self, delta: Tensor) -> Tensor:
        # added up in float32, the squares of a frame lose up to 2e-5 of the norm
        return torch.linalg.vector_norm(delta, dim=1, dtype=torch.float64)


class L1Ball(Ball):
    """The mean of absolute values."""

    @staticmethod
    def radius_of(eps: float, entries: int) -> float:
        """See `Ball`."""
        return eps * entries

    def _shrink(self, delta: Tensor, radius: float) -> Tensor:
        """Euclidean projection: every entry loses the same amount, down to 0."""
        size = delta.abs()
        for row in (size.sum(dim=1) > radius).nonzero()[:, 0]:
            over = _threshold(size[row].numpy(), radius)
            delta[row] = delta[row].sign() * (size[row] - over).clamp_min_(0)
        return delta

    def _step(self, slope: Tensor, start: Tensor, length: float) -> Tensor:
        """Spends the step on the steepest entries, each up to the end of its range: a fractional knapsack, so exact."""
        steep, step = slope.abs(), torch.zeros_like(slope)
        rows, count = torch.arange(len(slope)), 64 + int(2 * length / self._width)
        while len(rows):  # rows that run out of entries look at more of them, each for itself
            count = min(count, self.entries)
            value, entry = steep[rows].topk(count, dim=1)
            entry_start, entry_slope = start[rows].gather(1, entry), slope[rows].gather(1, entry)
            way = self._way(entry_slope, entry_start, entry, rows).clamp_(-length, length).mul_(value > 0)
            spent = way.abs().double().cumsum(dim=1)
            left = length - (spent - way.abs())
            part = (left / way.abs().clamp_min(_TINY)).clamp_(0, 1).float()
            step[rows] = torch.zeros_like(slope[rows]).scatter_(1, entry, way * part)
            short = (spent[:, -1] < length) & (value[:, -1] > 0)
            rows = rows[short] if count < self.entries else rows[:0]
            count *= 8
        return step
