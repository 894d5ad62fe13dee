"""A budget fitted to a space: what an observation, or an action, may become around a clean one."""

from abc import abstractmethod
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cached_property
from typing import ClassVar, Self

import torch
from torch import Tensor

from rlattack.arrays import FloatArray, rowwise
from rlattack.budget.gauge import Gauge
from rlattack.budget.reach import TOLERANCE, Reach, Sizes, finite
from rlattack.budget.words import NORMS
from rlattack.draws import Draws

SLACK = TOLERANCE / 2
"""By how much a settled point may leave the ball, relative and absolute."""


@dataclass(frozen=True)
class Ball(Reach):
    """The allowed perturbed observations (or actions) around a clean one; a norm is a subclass.

    Observations are float32 in the game's own range, shape (n, *observation). Norms see only the entries that may
    change, flat, shape (n, entries), in units in which the radius is `_length(radius)`.
    """

    names: ClassVar[tuple[str, ...]] = NORMS
    whole: ClassVar[bool] = False
    """Whether sizes are whole numbers."""
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
    free: Tensor | None = None
    """Numbers of the entries that may change, flat, int64, shape (entries,), where they are not the last ones."""
    loose: bool = False
    """Whether a game may show values outside its own range; what is received is then never further out than those."""

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

    def _inside(self, draws: Draws, radius: float) -> Tensor:
        """Points drawn uniformly from the ball around 0; l0 has none, since its ball is not one body."""
        raise NotImplementedError

    def _aimless(self, draws: Draws, start: Tensor, length: float) -> tuple[Tensor, float]:
        """A step of that length in a random direction, as `_step`."""
        return self._step(draws.normal(self.entries), start, length)

    def _climbing(self, slope: Tensor, start: Tensor, gain: Tensor) -> Tensor:
        """The shortest step within the range that gains so much, to first order; l0 needs none."""
        raise NotImplementedError

    def _steepness(self, slope: Tensor) -> Tensor:
        """What a step of length 1 gains at most, to first order: the dual norm, shape (n,)."""
        raise NotImplementedError

    def project(self, point: Tensor, clean: Tensor) -> Tensor:
        """Returns a point of the ball and the observation space near `point`."""
        centre = self._free(clean)
        delta = self._shrink(self._in_units(self._free(point) - centre), self._length(self.radius))
        return self._joined(clean, self._in_game(delta).add_(centre).clamp_(*self._within(centre)))

    def around(self, clean: Tensor) -> Callable[[Tensor], Tensor]:
        """Returns `project` for many points around one observation; it may work in place."""
        return lambda point: self.project(point, clean)

    def settle(self, wanted: Tensor, clean: Tensor) -> Tensor:
        """Projects, then rounds towards `clean`: to bytes with `grid`, else where float rounding left the ball."""
        point = self.project(finite(wanted, clean), clean)
        if self.scale.numel() > 1:
            point = finite(point, clean)  # counted in small units, a large number is none
        if self.grid:
            # a hair of tolerance: one whole grey level must not fall to 0 because 1/255 has no exact float
            return (point - clean).mul_(1 + 1e-6).int() + clean
        if self._rounds_finely():
            return point
        size = self._size(self._in_units(self._free(point) - self._free(clean)))
        broken = size > self._length(self.radius) * (1 + SLACK) + self._length(SLACK)
        if not broken.any():
            return point
        return torch.where(rowwise(broken, clean), torch.nextafter(point, clean), point)

    def ascend(self, point: Tensor, grad: Tensor, step: float) -> Tensor:
        """Moves from `point` in the direction of steepest ascent by a step of that norm; `project` must follow.

        For l1 the whole step goes to the most sensitive entries, each within its range (Huang et al. 2017, sec. 3.2);
        for l0 the entries of highest first-order gain go to an end of their range.
        """
        start = self._free(point)
        slope = self._in_game(self._free(grad))  # by the chain rule
        return self._moved(point, *self._step(slope, self._in_units(start), self._length(step)))

    def spread(self, free: Tensor) -> Tensor:
        """Perturbations of free entries, shape (n, entries) in units, as changes of what is seen; 0 elsewhere."""
        scale = self.scale if self.scale.numel() == 1 else self._free(self.scale)
        nothing = free.new_zeros(len(free), *self.low.shape[1:])
        return self._joined(nothing, free * scale)

    def random_point(self, clean: Tensor, draws: Draws) -> Tensor:
        """A point drawn uniformly from the ball around `clean`, then clipped to the observation space."""
        inside = self._in_game(self._inside(draws, self._length(self.radius)))
        centre = self._free(clean)
        return self._joined(clean, inside.add_(centre).clamp_(*self._within(centre)))

    def random(self, clean: Tensor, draws: Draws) -> Tensor:
        """As far as the budget goes in a random direction: the step of `ascend` without its aim."""
        start = self._in_units(self._free(clean))
        return self._moved(clean, *self._aimless(draws, start, self._length(self.radius)))

    def ray(self, clean: Tensor, drawn: Tensor) -> Callable[[Tensor], Tensor]:
        """The way in a drawn direction: maps sizes as `eps` is, shape (n,), to points, which `settle` must follow."""
        way = self.ascend(torch.zeros_like(clean), drawn, self.radius_of(1.0, self.entries))
        return lambda size: clean + rowwise(size, clean) * way

    def reaching(self, point: Tensor, grad: Tensor, gain: Tensor) -> Tensor:
        """The shortest step from `point` within the range that climbs by `gain`, shape (n,), were the slope the same.

        As far as there is a way up where the range allows no such climb.
        """
        slope = self._in_game(self._free(grad))
        step = self._climbing(slope, self._in_units(self._free(point)), gain)
        return self._joined(torch.zeros_like(point), self._in_game(step))

    def steepness(self, grad: Tensor) -> Tensor:
        """What a step climbs at most by its length, to first order, shape (n,); comparable between gradients."""
        return self._steepness(self._in_game(self._free(grad)))

    def size(self, delta: Tensor) -> Tensor:
        """The size of each row of perturbations, as `eps` is, shape (n,), float32."""
        whole = self.radius_of(1.0, self.entries) * self._length(1.0)
        return (self._size(self._in_units(self._free(delta))) / whole).float()

    def only_free(self, values: Tensor) -> Tensor:
        """The same with 0 in entries that may not change."""
        return self._joined(torch.zeros_like(values), self._free(values))

    def _within(self, centre: Tensor) -> tuple[float, float] | tuple[Tensor, Tensor]:
        """Ends of what free entries may become around clean ones: the range, or what the game itself shows beyond."""
        if not self.loose:
            return self._bounds
        low, high = self._free(self.low), self._free(self.high)
        return torch.minimum(low, centre), torch.maximum(high, centre)

    @cached_property
    def _bounds(self) -> tuple[float, float] | tuple[Tensor, Tensor]:
        """Ends of the range of the free entries; numbers where they are all alike, which clamps twice as fast."""
        low, high = self._free(self.low), self._free(self.high)
        if (low == low[0, 0]).all() and (high == high[0, 0]).all():
            return float(low[0, 0]), float(high[0, 0])
        return low, high

    @cached_property
    def ends(self) -> tuple[Tensor, Tensor]:
        """Ends of the range of the free entries as the norms see them, each of shape (1, entries)."""
        return self._in_units(self._free(self.low)), self._in_units(self._free(self.high))

    def measure(self, received: Tensor, clean: Tensor) -> Sizes:
        """Sizes of each row in all norms, in units of the budget's space, compared in float32.

        Args:
            received: Shape (n, *observation), any dtype.
            clean: Same shape, any dtype: bytes of a game need not be copied to floats.
        """
        values, legal = self._gauge.measure(received, clean)
        inside = values[:, NORMS.index(self.kind)] <= self.radius * (1 + TOLERANCE) + TOLERANCE
        return Sizes(values, legal & inside, values[:, 3] > 0)

    @cached_property
    def _gauge(self) -> Gauge:
        return Gauge(self.scale, self.low, self.high, self.free, exact=self.kind in ("l2", "l1"))

    def as_eps(self, sizes: Sizes) -> FloatArray:
        """What was measured, per entry, shape (n,)."""
        return super().as_eps(sizes) / self.radius_of(1.0, self.entries)

    def newest_only(self) -> Self:
        """The same ball around the newest of stacked frames alone, shape (n, 1, height, width)."""
        scale = self.scale if self.scale.numel() == 1 else self.scale[:, -1:]
        return replace(self, scale=scale, low=self.low[:, -1:], high=self.high[:, -1:])

    @property
    def block(self) -> int:
        """How many of the last entries may change at once, with those among them that stay: all, or a frame's."""
        return self.entries if self.free is None else self.low.numel()

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
        flat = tensor.flatten(1)
        if self.free is not None:
            return flat[:, self.free]
        return flat if flat.shape[1] == self.entries else flat[:, -self.entries :]

    def _moved(self, point: Tensor, step: Tensor, factor: float = 1.0) -> Tensor:
        way = self._in_game(step)  # ours to write to: a norm's step is a tensor of its own
        return self._joined(point, torch.add(self._free(point), way, alpha=factor, out=way))

    def _joined(self, fixed: Tensor, free: Tensor) -> Tensor:
        """`free` entries among those of `fixed` that may not change."""
        if free.numel() == fixed.numel():
            return free.view_as(fixed)
        if self.free is not None:
            return fixed.flatten(1).index_copy(1, self.free, free).view_as(fixed)
        return torch.cat([fixed.flatten(1)[:, : -self.entries], free], dim=1).view_as(fixed)
