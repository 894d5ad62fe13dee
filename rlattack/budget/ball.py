"""A budget fitted to a space: what an observation, or an action, may become around a clean one."""

from abc import abstractmethod
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cached_property
from typing import ClassVar, Self

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from rlattack.arrays import Array, BoolArray, FloatArray, rowwise
from rlattack.budget.reach import TOLERANCE, Reach, Sizes, finite
from rlattack.budget.words import NORMS
from rlattack.draws import Draws

_SHORT = 256
"""Entries of an observation up to which all rows are measured at once."""
SLACK = TOLERANCE / 2
"""By how much a settled point may leave the ball, relative and absolute."""


@dataclass(frozen=True)
class Ball(Reach):
    """The allowed perturbed observations (or actions) around a clean one; a norm is a subclass.

    Observations are float32 in the game's own range, shape (n, *observation). Norms see only the entries that may
    change, flat, shape (n, entries), in units in which the radius is `_length(radius)`.
    """

    names: ClassVar[tuple[str, ...]] = NORMS
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

    def distance(self, point: Tensor, clean: Tensor) -> Tensor:
        """How far points are from observations in this norm, in units of the budget's space, shape (n,)."""
        return self._size(self._in_units(self._free(point) - self._free(clean))).float() / self._length(1.0)

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
    def _ends(self) -> tuple[Tensor, Tensor]:
        """Ends of the range of the free entries as the norms see them, each of shape (1, entries)."""
        return self._in_units(self._free(self.low)), self._in_units(self._free(self.high))

    def measure(self, received: Tensor, clean: Tensor) -> Sizes:
        """Sizes of each row in all norms, in units of the budget's space, compared in float32.

        On the CPU in numpy, which is faster there than torch; long rows one at a time, which stay in the cache.

        Args:
            received: Shape (n, *observation), any dtype.
            clean: Same shape, any dtype: bytes of a game need not be copied to floats.
        """
        if received.device.type == "cpu":
            rows, centres = (tensor.numpy(force=True).reshape(len(tensor), -1) for tensor in (received, clean))
            at_once = rows.shape[1] <= _SHORT or self.free is not None
            values, legal = (self._measured if at_once else self._measured_by_row)(rows, centres)
        else:
            values, legal = self._measured_there(received.flatten(1), clean.flatten(1))
        values[:, 1] = np.sqrt(values[:, 1])
        if self._units is None:
            values[:, :3] /= float(self.scale)
        inside = values[:, NORMS.index(self.kind)] <= self.radius * (1 + TOLERANCE) + TOLERANCE
        return Sizes(values, legal & inside, values[:, 3] > 0)

    def _measured(self, rows: Array, centres: Array) -> tuple[FloatArray, BoolArray]:
        """Largest entry, sum of squares, sum and number of changes of each row, and whether it is in the space."""
        delta = np.abs(np.subtract(rows, centres, dtype=np.float32, casting="same_kind"))
        delta = delta if self._units is None else delta / self._units
        exact, other_value = delta.astype(self._ones.dtype, copy=False), delta != 0
        sums = np.einsum("ij,ij->i", exact, exact), exact.sum(axis=1), other_value.sum(axis=1)
        low, high = self._range
        legal = np.asarray(((rows >= low) & (rows <= high)).all(axis=1), dtype=np.bool_)
        if not legal.all():
            legal |= self._no_further(rows, centres).all(axis=1)
        if self._fixed is not None:
            legal &= ~other_value[:, self._fixed].any(axis=1)
        return np.stack([delta.max(axis=1), *sums], axis=1).astype(np.float64), legal

    def _measured_there(self, rows: Tensor, centres: Tensor) -> tuple[FloatArray, BoolArray]:
        """The same where the rows lie on another device, from which the few numbers of each come at once."""
        centres = centres.float()
        delta = (rows - centres).abs()
        delta = delta if self._units is None else delta / self.scale.flatten(1)
        exact, other_value = delta.to(torch.float64 if self.kind in ("l2", "l1") else torch.float32), delta != 0
        low, high = (end.flatten(1) for end in (self.low, self.high))
        legal = ((rows >= torch.minimum(low, centres)) & (rows <= torch.maximum(high, centres))).all(dim=1)
        if self._fixed is not None:
            legal &= ~other_value[:, torch.as_tensor(self._fixed)].any(dim=1)
        sums = exact.square().sum(dim=1), exact.sum(dim=1), other_value.sum(dim=1), legal
        found: FloatArray = torch.stack([delta.amax(dim=1), *sums], dim=1).double().numpy(force=True)
        return found[:, :4].copy(), found[:, 4] > 0

    def _measured_by_row(self, rows: Array, centres: Array) -> tuple[FloatArray, BoolArray]:
        """The same of long rows, all of whose entries may change."""
        values, legal = np.empty((len(rows), len(NORMS))), np.empty(len(rows), dtype=np.bool_)
        delta, other_value = np.empty(rows.shape[1], dtype=np.float32), np.empty(rows.shape[1], dtype=np.bool_)
        for row, (one, other) in enumerate(zip(rows, centres, strict=True)):
            legal[row] = self._in_space(one) or self._no_further(one, other).all()
            np.abs(np.subtract(one, other, out=delta, dtype=np.float32, casting="same_kind"), out=delta)
            if self._units is not None:
                np.divide(delta, self._units, out=delta)
            exact = delta.astype(self._ones.dtype, copy=False)
            entries = np.count_nonzero(np.not_equal(delta, 0, out=other_value))  # faster than counting floats
            values[row] = delta.max(), exact.dot(exact), exact.dot(self._ones), entries
        return values, legal

    def as_eps(self, sizes: Sizes) -> FloatArray:
        """What was measured, per entry, shape (n,)."""
        return super().as_eps(sizes) / self.radius_of(1.0, self.entries)

    def newest_only(self) -> Self:
        """The same ball around the newest of stacked frames alone, shape (n, 1, height, width)."""
        scale = self.scale if self.scale.numel() == 1 else self.scale[:, -1:]
        return replace(self, scale=scale, low=self.low[:, -1:], high=self.high[:, -1:])

    def _in_space(self, row: Array) -> bool:
        low, high = self._range
        if low.size == high.size == 1:  # two passes less
            if low[0] == 0 and row.dtype == np.float32 and row.view(np.uint32).max() <= high.view(np.uint32)[0]:
                return True  # read as whole numbers, negative floats are larger than any other: one pass less
            return bool(row.min() >= low[0] and row.max() <= high[0])
        return bool(np.all((row >= low) & (row <= high)))

    @cached_property
    def _range(self) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.float32]]:
        """Ends of the range of every entry; each as one number where all entries share it."""
        ends = (end.numpy(force=True).reshape(-1) for end in (self.low, self.high))
        low, high = (end[:1] if (end == end[0]).all() else end for end in ends)
        return low, high

    def _no_further(self, received: Array, clean: Array) -> BoolArray:
        """Which entries are outside the range by no more than the game itself shows them."""
        low, high = self._range
        shown = clean.astype(np.float32, copy=False)
        return (received >= np.minimum(low, shown)) & (received <= np.maximum(high, shown))

    @property
    def block(self) -> int:
        """How many of the last entries may change at once, with those among them that stay: all, or a frame's."""
        return self.entries if self.free is None else self.low.numel()

    @cached_property
    def _fixed(self) -> BoolArray | None:
        """Which entries stay, shape (entries of all,), where some of a frame do."""
        if self.free is None:
            return None
        fixed = np.ones(self.low.numel(), dtype=np.bool_)
        fixed[self.free.numpy(force=True)] = False
        return fixed

    @cached_property
    def _units(self) -> npt.NDArray[np.float32] | None:
        """The unit of every entry, where each has its own."""
        return None if self.scale.numel() == 1 else self.scale.numpy(force=True).reshape(-1)

    @cached_property
    def _ones(self) -> Array:
        """What adds entries up: with more digits where a sum is held to the budget."""
        return np.ones(self.low.numel(), dtype=np.float64 if self.kind in ("l2", "l1") else np.float32)

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
