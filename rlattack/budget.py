"""Perturbation budgets: norms, units, projections and the byte grid. The only place that knows them.

In every norm `eps` is the size per entry, so that norms compare as in Huang et al. 2017: the largest entry (linf), the
root mean square (l2), the mean (l1); for l0 it is the number of pixels.
"""

import math
from dataclasses import dataclass
from typing import Any, Literal, get_args

import numpy as np
import numpy.typing as npt
import torch
from gymnasium import Space
from gymnasium.spaces import Box
from torch import Tensor

from rlattack.errors import BudgetError, nearest

__all__ = ["NORMS", "SPACES", "Ball", "Budget", "Norm", "Sizes", "Unit", "is_stack"]

Norm = Literal["linf", "l2", "l1", "l0"]
Unit = Literal["unit", "raw", "sigma"]
NORMS: tuple[Norm, ...] = get_args(Norm)
SPACES: tuple[Unit, ...] = get_args(Unit)
_UNBOUNDED = 1e30
"""Environments write the largest float where they mean no bound."""
_L1_CHUNK = 4096
"""Entries that an l1 step looks at before it sorts all of them."""


@dataclass(frozen=True, kw_only=True)
class Budget:
    """How large a perturbation may be.

    Raises:
        BudgetError: An unknown norm or space, a size that is not a positive number, or a fraction of a pixel.
    """

    norm: Norm = "linf"
    eps: float
    """Size per entry in units of `space`; the number of pixels for l0."""
    space: Unit = "unit"
    """`unit`: pixels over 255. `raw`: the game's own range. `sigma`: standard deviations of each entry."""
    grid: bool = False
    """Perturbed pixels are whole bytes, rounded towards the clean value."""

    def __post_init__(self) -> None:
        """Checks the budget for itself; `ball` checks it against the observations."""
        if self.norm not in NORMS:
            raise BudgetError(
                f"--norm: expected one of {', '.join(NORMS)}, got {self.norm!r}{nearest(self.norm, NORMS)}"
            )
        if self.space not in SPACES:
            raise BudgetError(f"--space: expected one of {', '.join(SPACES)}, got {self.space!r}")
        if not (math.isfinite(self.eps) and self.eps > 0):
            raise BudgetError(f"--eps: expected a number above 0, got {self.eps:g}; the clean game is played anyway")
        if self.norm == "l0" and self.eps != int(self.eps):
            raise BudgetError(f"--eps: with --norm l0 it is a whole number of pixels, got {self.eps:g}")

    def ball(self, space: Space[object], *, newest: bool = False, deviation: Tensor | None = None) -> "Ball":
        """Fits the budget to an observation space.

        Args:
            space: One observation: a Box of stacked frames, of one image, or of state vectors.
            newest: Only the newest of stacked frames may change (always so for l0).
            deviation: Standard deviation of each entry, for `sigma`.

        Raises:
            BudgetError: The space and the budget do not fit, or the budget is larger than the space.
        """
        if not isinstance(space, Box):
            raise BudgetError(f"expected observations in a Box, got {space}")
        scale = self._scale(space, deviation)
        low, high = _bound(space.low), _bound(space.high)
        where = torch.ones(1, *space.shape)
        if is_stack(space) and (newest or self.norm == "l0"):
            where[:, :-1] = 0
        entries = int(where.sum())
        self._check_size(space, entries, scale if isinstance(scale, float) else float(scale.min()))
        radius = {"linf": 1.0, "l2": math.sqrt(entries), "l1": float(entries), "l0": 1.0}[self.norm] * self.eps
        return Ball(self.norm, radius, scale, low, high, where, entries, self.grid, everywhere=entries == where.numel())

    def _scale(self, space: Box, deviation: Tensor | None) -> Tensor | float:
        if self.space == "raw":
            return 1.0
        if self.space == "unit":
            if not (space.low == 0).all() or not (space.high == 255).all():
                raise BudgetError(f"--space unit is for pixels in 0..255, this game shows {space}; use --space raw")
            return 255.0
        if deviation is None:
            raise BudgetError("--space sigma needs an agent that ships observation statistics; use --space raw")
        return deviation.float()[None]

    def _check_size(self, space: Box, entries: int, least: float) -> None:
        if self.norm == "l0":
            if self.eps > entries:
                raise BudgetError(f"--eps: {self.eps:g} pixels asked for, an observation has {entries}")
            if not space.is_bounded() or max(abs(space.low).max(), abs(space.high).max()) > _UNBOUNDED:
                raise BudgetError(
                    "--norm l0 sets entries to the ends of their range, and this game's have none; use linf"
                )
            return
        width = float((space.high.astype(np.float64) - space.low.astype(np.float64)).max())
        if self.eps * least > width:
            most = width / least
            raise BudgetError(
                f"--eps: {self.eps:g} is more than the whole range of an entry, {most:g} in --space {self.space}"
            )
        if not self.grid:
            return
        if space.dtype != "uint8":
            raise BudgetError(f"--grid is for byte observations, this game shows {space.dtype}")
        per_entry = {"linf": 1.0, "l2": math.sqrt(entries), "l1": float(entries)}[self.norm]
        if self.eps * per_entry * least < 1.0 - 1e-9:
            raise BudgetError(
                f"--grid: eps {self.eps:g} is below one grey level, so no byte can change; leave out --grid or raise eps"
            )


@dataclass(frozen=True)
class Sizes:
    """True norms of perturbations, each of shape (n,), in units of the budget's space (l0: entries)."""

    linf: Tensor
    l2: Tensor
    l1: Tensor
    l0: Tensor


@dataclass(frozen=True)
class Ball:
    """A budget fitted to an observation space: the set of allowed perturbed observations around a clean one.

    Observations are float32 in the game's own range, shape (n, *observation); norms are taken in units of `scale`.
    """

    norm: Norm
    radius: float
    scale: Tensor | float
    """Of one unit of the budget in the game's range: one number, or one an entry (1, *observation)."""
    low: Tensor | float
    high: Tensor | float
    """Ends of the range: one number where all entries share it."""
    where: Tensor
    """1 where an entry may change, 0 elsewhere; shape (1, *observation)."""
    entries: int
    """How many entries may change."""
    grid: bool
    everywhere: bool

    def project(self, point: Tensor, clean: Tensor) -> Tensor:
        """Returns a point of the ball and the observation space near `point`; on the byte grid where asked for."""
        delta = point - clean
        if not self.everywhere:
            delta = delta * self.where
        if self.norm == "linf":
            limit = self.scale * self.radius
            delta = _clip(delta, -limit, limit)
        elif self.norm == "l2":
            norm = self._flat(delta / self.scale).norm(dim=1)
            delta = delta * self._rows((self.radius / norm.clamp_min(1e-30)).clamp_max(1.0), delta)
        elif self.norm == "l1":
            delta = self._unflat(_onto_l1(self._flat(delta / self.scale), self.radius), delta) * self.scale
        else:
            flat = self._flat(delta)
            keep = flat.abs().topk(int(self.radius), dim=1).indices
            delta = self._unflat(torch.zeros_like(flat).scatter_(1, keep, flat.gather(1, keep)), delta)
        if self.grid:
            # a hair of tolerance: one whole grey level must not fall to 0 because 1/255 has no exact float
            delta = torch.trunc(delta * (1 + 1e-6))
        return _clip(delta.add_(clean), self.low, self.high)

    def ascend(self, point: Tensor, grad: Tensor, step: float) -> Tensor:
        """Moves from `point` in the direction of steepest ascent by a step of that norm; `project` must follow.

        For l1 the whole step goes to the most sensitive entries, each within its range (Huang et al. 2017, sec. 3.2);
        for l0 the entries of highest first-order gain go to an end of their range.
        """
        slope = grad if self.everywhere else grad * self.where
        if self.norm == "linf":
            return slope.sign().mul_(self.scale * step).add_(point)
        slope = slope * self.scale
        if self.norm == "l2":
            norm = self._flat(slope).norm(dim=1).clamp_min(1e-30)
            return point + self.scale * slope * self._rows(step / norm, slope)
        ends = torch.where(slope > 0, _as_tensor(self.high), _as_tensor(self.low))
        flat, room = self._flat(slope).abs(), self._flat((ends - point) / self.scale)
        if self.norm == "l1":
            return point + self._unflat(_spend(flat, room.clamp(-step, step), step), point) * self.scale
        best = (flat * room.abs()).topk(int(step), dim=1).indices
        return point + self._unflat(torch.zeros_like(room).scatter_(1, best, room.gather(1, best)), point) * self.scale

    def spread(self, uniform: Tensor, normal: Tensor, clean: Tensor) -> Tensor:
        """A point drawn uniformly from the ball around `clean` (then clipped), from given random numbers.

        Args:
            uniform: In [0, 1), shape (n, *observation) for linf, else only its first entry a row is used.
            normal: Standard normal for l2, standard Laplace for l1; shape (n, *observation).
            clean: Centre, shape (n, *observation).
        """
        if self.norm == "linf":
            return self.project(clean + (2 * uniform - 1) * (self.scale * self.radius), clean)
        flat = self._flat(normal * self.where)
        order = 2 if self.norm == "l2" else 1
        length = self.radius * self._flat(uniform)[:, :1] ** (1 / self.entries)
        direction = flat / flat.norm(p=order, dim=1, keepdim=True).clamp_min(1e-30)
        return self.project(clean + self._unflat(direction * length, clean) * self.scale, clean)

    def sizes(self, point: Tensor, clean: Tensor) -> Sizes:
        """Measures perturbations, whatever made them."""
        delta = self._flat((point - clean) / self.scale).abs()
        return Sizes(delta.amax(dim=1), delta.norm(dim=1), delta.sum(dim=1), (delta > 0).sum(dim=1))

    def holds(self, sizes: Sizes, tolerance: float = 1e-6) -> Tensor:
        """Whether perturbations of these sizes keep the budget, shape (n,), bool."""
        size: Tensor = getattr(sizes, self.norm)
        return size <= self.radius * (1 + tolerance) + tolerance

    @staticmethod
    def _flat(tensor: Tensor) -> Tensor:
        return tensor.flatten(1)

    @staticmethod
    def _unflat(flat: Tensor, like: Tensor) -> Tensor:
        return flat.view_as(like)

    @staticmethod
    def _rows(values: Tensor, like: Tensor) -> Tensor:
        return values.view(-1, *[1] * (like.ndim - 1))


def is_stack(space: Box) -> bool:
    """Whether observations are stacked frames (frames, height, width), oldest first, and not one (h, w, c) image."""
    return len(space.shape) == 3 and space.shape[0] < min(space.shape[1:])


def _bound(values: npt.NDArray[Any]) -> Tensor | float:
    """The end of a range, as one number where all entries share it: clipping to a number is several times faster."""
    first = float(values.flat[0])
    return first if (values == first).all() else torch.from_numpy(values).float()[None]


def _as_tensor(bound: Tensor | float) -> Tensor:
    return torch.tensor(bound) if isinstance(bound, float) else bound


def _clip(values: Tensor, low: Tensor | float, high: Tensor | float) -> Tensor:
    """Clips a tensor that nobody else holds."""
    if isinstance(low, float) and isinstance(high, float):
        return values.clamp_(low, high)
    return torch.minimum(torch.maximum(values, _as_tensor(low)), _as_tensor(high))


def _onto_l1(delta: Tensor, radius: float) -> Tensor:
    """Euclidean projection of rows onto the l1 ball (Duchi et al. 2008, fig. 1); rows inside stay as they are."""
    size = delta.abs()
    outside = size.sum(dim=1) > radius
    if not outside.any():
        return delta
    ordered = size[outside].sort(dim=1, descending=True).values.double()
    excess = ordered.cumsum(dim=1) - radius
    counts = torch.arange(1, delta.shape[1] + 1, dtype=torch.float64)
    last = (ordered * counts > excess).sum(dim=1, keepdim=True)
    threshold = (excess.gather(1, last - 1) / last).float()
    projected = delta.clone()
    projected[outside] = delta[outside].sign() * (size[outside] - threshold).clamp_min(0)
    return projected


def _spend(slope: Tensor, room: Tensor, step: float) -> Tensor:
    """Spends an l1 step on the entries of steepest slope, each up to its room: a fractional knapsack, so exact.

    Args:
        slope: Absolute slopes, shape (n, entries).
        room: Signed way to the end of the range that the slope points at, shape (n, entries).
        step: What each row may spend.
    """
    value = torch.where(room != 0, slope, torch.zeros_like(slope))
    for count in (min(_L1_CHUNK, slope.shape[1]), slope.shape[1]):
        order = value.topk(count, dim=1)
        way = room.gather(1, order.indices)
        way = torch.where(order.values > 0, way, torch.zeros_like(way))
        spent = way.abs().double().cumsum(dim=1)
        if count == slope.shape[1] or bool((spent[:, -1] >= step).all()):
            break
    before = spent - way.abs()
    share = ((step - before) / way.abs().clamp_min(1e-30)).clamp(0, 1).float()
    return torch.zeros_like(room).scatter_(1, order.indices, way * share)
