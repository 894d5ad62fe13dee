"""A budget fitted to what a game shows: the allowed perturbed observations around a clean one."""

from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import Protocol

import torch
from torch import Tensor

__all__ = ["SLACK", "Ball", "Draws"]

SLACK = 5e-7
"""Half of what the judge allows, relative and absolute."""


class Draws(Protocol):
    """Random numbers of shape (n, *shape), float32."""

    def uniform(self, *shape: int) -> Tensor:
        """Uniform in [0, 1)."""

    def normal(self, *shape: int) -> Tensor:
        """Standard normal."""

    def laplace(self, *shape: int) -> Tensor:
        """Standard Laplace."""

    def signs(self, *shape: int) -> Tensor:
        """-1 or 1."""


@dataclass(frozen=True)
class Ball(ABC):
    """The allowed perturbed observations around a clean one; a norm is a subclass.

    Observations are float32 in the game's own range, shape (n, *observation). Norms see only the entries that may
    change, flat, shape (n, entries), in units in which the radius is `_length(radius)`.
    """

    norm: str
    radius: float
    """In units of `scale`."""
    scale: Tensor
    """What one unit of the budget's space is in the game's own range: shape (1,), or (1, *observation) for sigma."""
    low: Tensor
    """Smallest valid observation, shape (1, *observation)."""
    high: Tensor
    """Largest valid observation, shape (1, *observation)."""
    entries: int
    """How many entries may change: the last ones, which are all, or those of the newest frame."""
    grid: bool

    @staticmethod
    @abstractmethod
    def radius_of(eps: float, entries: int) -> float:
        """The radius at a size per entry."""

    @abstractmethod
    def _shrink(self, delta: Tensor, radius: float) -> Tensor:
        """Projects perturbations onto the ball; may work in place."""

    @abstractmethod
    def _step(self, slope: Tensor, start: Tensor, length: float) -> tuple[Tensor, float]:
        """The step of that length that climbs most, to first order, as a direction and its factor."""

    @abstractmethod
    def _size(self, delta: Tensor) -> Tensor:
        """The norm of each row, shape (n,)."""

    def _inside(self, rng: Draws, radius: float) -> Tensor:
        """Points drawn uniformly from the ball around 0; l0 has none, since its ball is not one body."""
        raise NotImplementedError

    def _aimless(self, rng: Draws, start: Tensor, length: float) -> tuple[Tensor, float]:
        """A step of that length in a random direction, as `_step`."""
        return self._step(rng.normal(self.entries), start, length)

    def project(self, point: Tensor, clean: Tensor) -> Tensor:
        """Returns a point of the ball and the observation space near `point`."""
        centre = self._free(clean)
        delta = self._shrink(self._in_units(self._free(point) - centre), self._length(self.radius))
        return self._joined(clean, self._in_game(delta).add_(centre).clamp_(*self._bounds))

    def around(self, clean: Tensor) -> Callable[[Tensor], Tensor]:
        """Returns `project` for many points around one observation; it may work in place."""
        return lambda point: self.project(point, clean)

    def settle(self, point: Tensor, clean: Tensor) -> Tensor:
        """Projects, then rounds towards `clean`: to bytes with `grid`, else where float rounding left the ball."""
        point = self.project(point, clean)
        if self.grid:
            # a hair of tolerance: one whole grey level must not fall to 0 because 1/255 has no exact float
            return (point - clean).mul_(1 + 1e-6).int() + clean
        if self._rounds_finely():
            return point
        size = self._size(self._in_units(self._free(point) - self._free(clean)))
        broken = size > self._length(self.radius) * (1 + SLACK) + self._length(SLACK)
        if not broken.any():
            return point
        return torch.where(broken.view(-1, *[1] * (clean.ndim - 1)), torch.nextafter(point, clean), point)

    def ascend(self, point: Tensor, grad: Tensor, step: float) -> Tensor:
        """Moves from `point` in the direction of steepest ascent by a step of that norm; `project` must follow.

        For l1 the whole step goes to the most sensitive entries, each within its range (Huang et al. 2017, sec. 3.2);
        for l0 the entries of highest first-order gain go to an end of their range.
        """
        start = self._free(point)
        slope = self._in_game(self._free(grad))  # by the chain rule
        return self._moved(point, *self._step(slope, self._in_units(start), self._length(step)))

    def random_point(self, clean: Tensor, rng: Draws) -> Tensor:
        """A point drawn uniformly from the ball around `clean`, then clipped to the observation space."""
        inside = self._in_game(self._inside(rng, self._length(self.radius)))
        return self._joined(clean, inside.add_(self._free(clean)).clamp_(*self._bounds))

    def random_step(self, clean: Tensor, rng: Draws) -> Tensor:
        """As far as the budget goes in a random direction: the step of `ascend` without its aim."""
        start = self._in_units(self._free(clean))
        return self._moved(clean, *self._aimless(rng, start, self._length(self.radius)))

    @cached_property
    def _bounds(self) -> tuple[float, float] | tuple[Tensor, Tensor]:
        """Ends of the range of the free entries; numbers where they are all alike, which clamps twice as fast."""
        low, high = self._free(self.low), self._free(self.high)
        if (low == low[0, 0]).all() and (high == high[0, 0]).all():
            return float(low[0, 0]), float(high[0, 0])
        return low, high

    @cached_property
    def _ends(self) -> tuple[Tensor, Tensor]:
        """Ends of the range of the free entries as the norms see them, each of shape (1, entries)."""
        return self._in_units(self._free(self.low)), self._in_units(self._free(self.high))

    def _rounds_finely(self) -> bool:
        """Whether float32 cannot leave the ball by more than the judge allows."""
        return False

    def _length(self, size: float) -> float:
        """A length as the norms see it: in the game's own range, or in units where each entry has its own."""
        return size * float(self.scale) if self.scale.numel() == 1 else size

    def _in_units(self, values: Tensor) -> Tensor:
        return values if self.scale.numel() == 1 else values / self._free(self.scale)

    def _in_game(self, values: Tensor) -> Tensor:
        return values if self.scale.numel() == 1 else values * self._free(self.scale)

    def _free(self, tensor: Tensor) -> Tensor:
        return tensor.flatten(1)[:, -self.entries :]

    def _moved(self, point: Tensor, step: Tensor, factor: float = 1.0) -> Tensor:
        return self._joined(point, torch.add(self._free(point), self._in_game(step), alpha=factor))

    def _joined(self, fixed: Tensor, free: Tensor) -> Tensor:
        """`free` entries among those of `fixed` that may not change."""
        if free.numel() == fixed.numel():
            return free.view_as(fixed)
        return torch.cat([fixed.flatten(1)[:, : -self.entries], free], dim=1).view_as(fixed)
