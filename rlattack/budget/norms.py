"""The four norms: projections, steepest steps, and random points of their balls."""

import math
from collections.abc import Callable
from functools import cached_property
from typing import ClassVar

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from rlattack.budget.ball import SLACK, Ball
from rlattack.draws import Draws

Values = npt.NDArray[np.float32]
_TINY = torch.finfo(torch.float32).tiny
_NEWTON = 12
"""Steps of Newton's method at most; a few are enough unless most entries are at an end."""


class LinfBall(Ball):
    """The largest entry."""

    kind = "linf"

    @staticmethod
    def radius_of(eps: float, entries: int) -> float:
        """The radius is eps: the largest entry needs no factor."""
        return eps

    def around(self, clean: Tensor) -> Callable[[Tensor], Tensor]:
        """Projects many points into the box that this ball is, whose ends are found once."""
        centre = self._free(clean)
        reach = self._in_game(torch.full((1, 1), self._length(self.radius)))
        bounds = self._within(centre)
        low, high = (self._joined(clean, end.clamp_(*bounds)) for end in (centre - reach, centre + reach))
        return lambda point: point.clamp_(low, high)

    def ascend(self, point: Tensor, grad: Tensor, step: float) -> Tensor:
        """The step of `Ball.ascend`: whatever the units, a sign is a sign."""
        return self._moved(point, self._free(grad).sign(), self._length(step))

    def _shrink(self, delta: Tensor, radius: float) -> Tensor:
        return delta.clamp_(-radius, radius)

    def _step(self, slope: Tensor, start: Tensor, length: float) -> tuple[Tensor, float]:
        return slope.sign(), length

    def _inside(self, draws: Draws, radius: float) -> Tensor:
        return draws.uniform(self.entries).mul_(2 * radius).sub_(radius)

    def _aimless(self, draws: Draws, start: Tensor, length: float) -> tuple[Tensor, float]:
        return draws.signs(self.entries), length

    def _climbing(self, slope: Tensor, start: Tensor, gain: Tensor) -> Tensor:
        return _paced(self, slope, start, gain, torch.ones_like(slope))

    def _steepness(self, slope: Tensor) -> Tensor:
        return slope.abs().sum(dim=1)

    def _size(self, delta: Tensor) -> Tensor:
        return delta.abs().amax(dim=1)

    def _rounds_finely(self) -> bool:
        return self._coarsest <= SLACK  # so for pixels in unit space

    @cached_property
    def _coarsest(self) -> float:
        """The largest rounding error of an entry, in units."""
        return max(float((end.abs() * 2**-24 / self.scale).max()) for end in (self.low, self.high))


class L2Ball(Ball):
    """The root mean square."""

    kind = "l2"

    @staticmethod
    def radius_of(eps: float, entries: int) -> float:
        """The root mean square, times the root of the number of entries, is the l2 norm."""
        return eps * math.sqrt(entries)

    def _shrink(self, delta: Tensor, radius: float) -> Tensor:
        return delta.mul_((radius / self._size(delta).clamp_min(_TINY)).clamp_max(1.0).float()[:, None])

    def _step(self, slope: Tensor, start: Tensor, length: float) -> tuple[Tensor, float]:
        return slope / self._size(slope).clamp_min(_TINY).float()[:, None], length

    def _climbing(self, slope: Tensor, start: Tensor, gain: Tensor) -> Tensor:
        return _paced(self, slope, start, gain, slope.abs())

    def _steepness(self, slope: Tensor) -> Tensor:
        return self._size(slope).float()

    def _inside(self, draws: Draws, radius: float) -> Tensor:
        length = draws.uniform(1) ** (1 / self.entries) * radius
        direction = draws.normal(self.entries)
        return direction.mul_(length / self._size(direction).clamp_min(_TINY).float()[:, None])

    def _size(self, delta: Tensor) -> Tensor:
        # added up in float32, the squares of a frame lose up to 2e-5 of the norm
        norms: Tensor = torch.linalg.vector_norm(delta, dim=1, dtype=torch.float64)
        return norms


class L1Ball(Ball):
    """The mean of absolute values."""

    kind = "l1"

    @staticmethod
    def radius_of(eps: float, entries: int) -> float:
        """The mean, times the number of entries, is the l1 norm."""
        return eps * entries

    def _shrink(self, delta: Tensor, radius: float) -> Tensor:
        """Euclidean projection: every entry loses the same amount, down to 0."""
        size = delta.abs()
        for row in (size.sum(dim=1) > radius).nonzero()[:, 0]:
            over = _threshold(size[row].numpy(force=True), radius)
            delta[row] = delta[row].sign() * (size[row] - over).clamp_min_(0)
        return delta

    def _step(self, slope: Tensor, start: Tensor, length: float) -> tuple[Tensor, float]:
        """Spends all on the steepest entries, each up to the end of its range: a fractional knapsack, so exact."""
        step, rows = torch.zeros_like(slope), torch.arange(len(slope))
        count = 64 + int(2 * length / self._width)  # at first: enough when the mean way is half the range
        while len(rows):
            count = min(count, self.entries)
            entry = slope[rows].abs().topk(count, dim=1).indices
            steep = slope[rows].gather(1, entry)
            way = self._way(steep, start[rows].gather(1, entry), entry).clamp_(-length, length).mul_(steep != 0)
            spent = way.abs().double().cumsum(dim=1)
            part = ((length - spent + way.abs()) / way.abs().clamp_min(_TINY)).clamp_(0, 1).float()
            step[rows] = torch.zeros_like(slope[rows]).scatter_(1, entry, way * part)
            # a row that ran out looks at more entries, for itself: what its neighbours need must not change it
            short = (spent[:, -1] < length) & (steep[:, -1] != 0) & (count < self.entries)
            rows, count = rows[short], 8 * count
        return step, 1.0

    def _climbing(self, slope: Tensor, start: Tensor, gain: Tensor) -> Tensor:
        """Takes the steepest entries first, each to the end of its range."""
        steep, entry = slope.abs().sort(dim=1, descending=True)
        needed = torch.where(steep > 0, gain[:, None] / steep, 0.0)
        way = torch.minimum(_ways(self, slope, start).gather(1, entry), needed)
        gained = (steep * way).double()
        left = gain[:, None] - gained.cumsum(dim=1) + gained
        part = (left / gained.clamp_min(_TINY)).clamp(0, 1).float()
        return torch.zeros_like(slope).scatter_(1, entry, way * part) * slope.sign()

    def _steepness(self, slope: Tensor) -> Tensor:
        return slope.abs().amax(dim=1)

    def ray(self, clean: Tensor, drawn: Tensor) -> Callable[[Tensor], Tensor]:
        """Sets one entry after another to an end of its range, the order and the ends as drawn."""
        way, entry = _in_turn(self, clean, drawn)
        scale = self.scale.reshape(1, -1)
        cost = (way.abs() / scale).gather(1, entry)
        before = _before(cost)

        def point(size: Tensor) -> Tensor:
            left = self.radius_of(1.0, self.entries) * size[:, None] - before
            spent = torch.zeros_like(way).scatter_(1, entry, left.clamp_min(0).float().minimum(cost))
            return clean + (way.sign() * spent * scale).view_as(clean)

        return point

    def _inside(self, draws: Draws, radius: float) -> Tensor:
        length = draws.uniform(1) ** (1 / self.entries) * radius
        direction = draws.laplace(self.entries)
        return direction.mul_(length / self._size(direction).clamp_min(_TINY)[:, None])

    def _size(self, delta: Tensor) -> Tensor:
        return delta.abs().sum(dim=1)

    def _way(self, slope: Tensor, start: Tensor, entry: Tensor) -> Tensor:
        """Signed way of some entries to the end of their range that the slope points at."""
        low, high = (end.expand(len(entry), -1).gather(1, entry) for end in self.ends)
        way = torch.where(slope > 0, high, low) - start
        return way.mul_(way.sign() == slope.sign()) if self.loose else way  # beyond its end, there is no way on

    @cached_property
    def _width(self) -> float:
        low, high = self.ends
        return float((high - low).max())


class L0Ball(Ball):
    """The number of entries."""

    kind = "l0"
    whole: ClassVar[bool] = True

    @staticmethod
    def radius_of(eps: float, entries: int) -> float:
        """The radius is eps: a number of pixels."""
        return eps

    def _shrink(self, delta: Tensor, radius: float) -> Tensor:
        largest = delta.abs().topk(int(min(radius, self.entries)), dim=1).indices
        return torch.zeros_like(delta).scatter_(1, largest, delta.gather(1, largest))

    def _step(self, slope: Tensor, start: Tensor, length: float) -> tuple[Tensor, float]:
        """Sets the entries of highest first-order gain, slope times way, to an end of their range."""
        down, up = (end - start for end in self.ends)
        gain, entry = torch.maximum(slope * down, slope * up).topk(int(length), dim=1)
        way = torch.where(slope.gather(1, entry) > 0, up.gather(1, entry), down.gather(1, entry))
        return torch.zeros_like(slope).scatter_(1, entry, way * (gain > 0)), 1.0

    def _aimless(self, draws: Draws, start: Tensor, length: float) -> tuple[Tensor, float]:
        """Sets random entries to random ends of their range; to the other end those that are there already."""
        down, up = (end - start for end in self.ends)
        size, entry = (drawn := draws.normal(self.entries)).abs().topk(int(length), dim=1)
        down, up = down.gather(1, entry), up.gather(1, entry)
        upwards = ((drawn.gather(1, entry) > 0) & (up > 0)) | (down == 0)
        return torch.zeros_like(drawn).scatter_(1, entry, torch.where(upwards, up, down) * (size > 0)), 1.0

    def ray(self, clean: Tensor, drawn: Tensor) -> Callable[[Tensor], Tensor]:
        """Sets one pixel after another to an end of its range, the order and the ends as drawn."""
        way, entry = _in_turn(self, clean, drawn)
        before = _before((way != 0).gather(1, entry))
        # every pixel by the number of those that come before it
        turn = torch.zeros_like(way).scatter_(1, entry, before.float())
        return lambda size: clean + torch.where(turn < size.floor()[:, None], way, 0).view_as(clean)

    def _size(self, delta: Tensor) -> Tensor:
        return (delta != 0).sum(dim=1)

    def _rounds_finely(self) -> bool:
        return True

    def _length(self, size: float) -> float:
        return size


def _ways(ball: Ball, slope: Tensor, start: Tensor) -> Tensor:
    """How far each entry is from the end of its range to which the slope points, at least 0."""
    low, high = ball.ends
    return torch.where(slope > 0, high - start, start - low).clamp_min_(0)


def _paced(ball: Ball, slope: Tensor, start: Tensor, gain: Tensor, pace: Tensor) -> Tensor:
    """The step in which all entries move at their pace, each to the end of its range, until the gain is made.

    By Newton's method on a gain that bends at each end: its tangents are above it, so that it never goes too far.
    """
    way, time = _ways(ball, slope, start), torch.zeros(len(slope))
    for _ in range(_NEWTON):
        moved = torch.minimum(time[:, None] * pace, way)
        missing = gain - (slope.abs() * moved).sum(dim=1)
        speed = (slope.abs() * pace * (moved < way)).sum(dim=1)
        short = (missing > 1e-6 * gain) & (speed > 0)  # a row that is there stays, whatever the others need
        if not short.any():
            break
        time = torch.where(short, time + missing / speed.clamp_min(_TINY), time)
    return slope.sign() * torch.minimum(time[:, None] * pace, way)


def _in_turn(ball: Ball, clean: Tensor, drawn: Tensor) -> tuple[Tensor, Tensor]:
    """The way of each entry to the end of its range that a drawn sign names, and the entries, the largest drawn first.

    Entries that may not change have none.
    """
    order = ball.only_free(drawn).flatten(1)
    low, high = (end.flatten(1) for end in (ball.low, ball.high))
    way = torch.where(order > 0, high, low) - clean.flatten(1)
    return way.where(way.sign() == order.sign(), 0), order.abs().argsort(dim=1, descending=True)


def _before(costs: Tensor) -> Tensor:
    """What all earlier entries of each row cost together."""
    return torch.cat([torch.zeros(len(costs), 1), costs.double().cumsum(dim=1)[:, :-1]], dim=1)


def _threshold(sizes: Values, radius: float) -> float:
    """What every entry loses in projecting onto the l1 ball (Michelot 1986); `sizes` add up to more than `radius`."""
    while True:
        over = (float(sizes.sum(dtype=np.float64)) - radius) / len(sizes)
        kept = sizes[sizes > over]
        if len(kept) in (0, len(sizes)):
            return over
        sizes = kept
