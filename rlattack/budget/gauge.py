"""Sizes of perturbations in all norms at once, and whether what was received is in the space it came from.

On the CPU in numpy, which is faster there than torch; long rows one at a time, which stay in the cache.
"""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from rlattack.arrays import Array, BoolArray, FloatArray
from rlattack.budget.words import NORMS

_SHORT = 256
"""Entries of an observation up to which all rows are measured at once."""


@dataclass(frozen=True)
class Gauge:
    """Measures perturbations of observations; arguments are those of `Ball`, shapes too."""

    scale: Tensor
    low: Tensor
    high: Tensor
    free: Tensor | None
    exact: bool
    """Whether sums are held to a budget, and need more digits."""

    def measure(self, received: Tensor, clean: Tensor) -> tuple[FloatArray, BoolArray]:
        """Sizes in the order of `NORMS`, shape (n, 4), in units of the space, and whether a row is in the space."""
        if received.device.type == "cpu":
            rows, centres = (tensor.numpy(force=True).reshape(len(tensor), -1) for tensor in (received, clean))
            at_once = rows.shape[1] <= _SHORT or self.free is not None
            values, legal = (self._measured if at_once else self._measured_by_row)(rows, centres)
        else:
            values, legal = self._measured_there(received.flatten(1), clean.flatten(1))
        values[:, 1] = np.sqrt(values[:, 1])
        if self._units is None:
            values[:, :3] /= float(self.scale)
        return values, legal

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
        exact, other_value = delta.to(torch.float64 if self.exact else torch.float32), delta != 0
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
        return np.ones(self.low.numel(), dtype=np.float64 if self.exact else np.float32)
