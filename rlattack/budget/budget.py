"""How large a perturbation may be, and whether that makes sense for what a game shows.

In every norm `eps` is the size per entry, so that norms compare as in Huang et al. 2017: the largest entry (linf), the
root mean square (l2), the mean (l1); for l0 it is the number of pixels.
"""

import math
from dataclasses import dataclass, field

import numpy as np
import torch
from gymnasium import Space
from gymnasium.spaces import Box
from torch import Tensor

from rlattack.budget.ball import Ball
from rlattack.budget.change import is_picture
from rlattack.budget.changes import CHANGES
from rlattack.budget.frames import is_stack
from rlattack.budget.mix import Mix
from rlattack.budget.norms import L0Ball, L1Ball, L2Ball, LinfBall
from rlattack.budget.patch import Patch
from rlattack.budget.reach import Reach
from rlattack.budget.shared import Shared
from rlattack.budget.words import KINDS, NORMS, SPACES, Unit, entries_words
from rlattack.errors import BudgetError, nearest

_BALLS: dict[str, type[Ball]] = {ball.kind: ball for ball in (LinfBall, L2Ball, L1Ball, L0Ball)}
_OF_ACTIONS: dict[str, type[Mix] | type[Shared]] = {kind.kind: kind for kind in (Mix, Shared)}
_FINEST = float(np.spacing(np.float32(255))) / 255
"""Distance between two floats at the value of a white pixel, in unit space."""
_UNBOUNDED = 1e30
"""Environments write the largest float where they mean no bound; nothing larger than this is a size."""


@dataclass(frozen=True, kw_only=True)
class Budget:
    """How large a perturbation may be.

    Raises:
        BudgetError: An unknown norm or space, a size that is not a positive number, or a fraction of a pixel.

    >>> from rlattack import Budget
    >>> Budget(norm="l2", eps=0.05, space="sigma")  # a root mean square of a twentieth of a standard deviation
    Budget(norm='l2', eps=0.05, space='sigma', grid=False, free=())
    """

    norm: str = "linf"
    """What `eps` counts: one of `NORMS`, or another kind of reach, one of `KINDS`: a natural change, a patch, a mix."""
    eps: float | None
    """Size per entry in units of `space`; the number of pixels for l0. None: as large as it takes."""
    space: Unit = "unit"
    """`unit`: pixels over 255. `raw`: the game's own range. `sigma`: standard deviations of each entry."""
    grid: bool = False
    """Perturbed pixels are whole bytes, rounded towards the clean value."""
    free: tuple[int, ...] = ()
    """Numbers of the entries that may change, which alone are counted; all where none are given."""
    stand_in: float = field(default=0.0, repr=False)
    """What stands in for a value that a natural change loses, in the game's own units."""

    def __post_init__(self) -> None:
        """Checks the budget for itself; `ball` checks it against the observations."""
        if self.norm not in KINDS:
            close = nearest(self.norm, NORMS)
            raise BudgetError(f"--norm: expected one of {', '.join(NORMS)}, got {self.norm!r}{close}")
        if self.space not in SPACES:
            close = nearest(self.space, SPACES)
            raise BudgetError(f"--space: expected one of {', '.join(SPACES)}, got {self.space!r}{close}")
        object.__setattr__(self, "free", tuple(sorted(set(self.free))))
        if self.eps is None:
            return
        if not (math.isfinite(self.eps) and self.eps > 0):
            raise BudgetError(f"--eps: expected a finite number above 0, got {self.eps:g}")
        if self.norm == "l0" and self.eps != int(self.eps):
            raise BudgetError(f"--eps: with --norm l0 it is a whole number of pixels, got {self.eps:g}")

    @property
    def size(self) -> float:
        """The size, for an attack that is given one."""
        assert self.eps is not None, "an attack without a size does not ask"
        return self.eps

    def reach(self, space: Space[object], *, newest: bool = False, deviation: Tensor | None = None) -> Reach:
        """Fits the budget to a space, as a ball or as the other reach that its norm names; arguments as in `ball`.

        Raises:
            BudgetError: The space and the budget do not fit.
        """
        change, of_actions = CHANGES.get(self.norm), _OF_ACTIONS.get(self.norm)
        if of_actions is not None:
            return of_actions(self.size, space)
        if change is None and self.norm != Patch.kind:
            return self.ball(space, newest=newest, deviation=deviation)
        if self.free and (change is None or change.pictures):
            raise BudgetError(f"--free: {self.norm} changes a picture, not single entries")
        if change is None:
            return Patch(self.size, space, grid=self.grid, newest=newest)
        free = self._free(space) if self.free and isinstance(space, Box) else None
        scale = None
        if change.in_space and isinstance(space, Box) and not is_picture(space):
            scale = self._scale(space, deviation, slice(None) if free is None else list(self.free))
        return change(self.size, space, grid=self.grid, newest=newest, free=free, scale=scale, stand_in=self.stand_in)

    def ball(self, space: Space[object], *, newest: bool = False, deviation: Tensor | None = None) -> Ball:
        """Fits the budget to a space.

        Args:
            space: One observation (a Box of stacked frames, of one image, or of state vectors) or one action.
            newest: Only the newest of stacked frames may change (always so for l0).
            deviation: Standard deviation of each entry, for `sigma`.

        Raises:
            BudgetError: The space and the budget do not fit, the budget is larger than the space, or there is no such
                free entry.
        """
        if not isinstance(space, Box):
            raise BudgetError(f"expected observations in a Box, got {space}")
        entries = math.prod(space.shape)
        if is_stack(space) and (newest or self.norm == "l0"):
            entries //= space.shape[0]
        free = self._free(space)
        chosen = slice(None) if free is None else list(self.free)
        scale = self._scale(space, deviation, chosen)
        entries = entries if free is None else len(free)
        self._check_size(space, entries, scale, chosen)
        kind = _BALLS[self.norm]
        low, high = (torch.as_tensor(bound.astype(np.float32))[None] for bound in (space.low, space.high))
        radius = math.inf if self.eps is None else kind.radius_of(self.eps, entries)
        loose = space.dtype.kind == "f" and bool((low.isfinite() | high.isfinite()).any())
        return kind(radius, scale, low, high, entries, self.grid, free, loose)

    def _free(self, space: Box) -> Tensor | None:
        """Numbers of the entries that may change; None where all may."""
        if not self.free:
            return None
        if len(space.shape) != 1:
            raise BudgetError(f"--free: expected observations that are numbers in a row, this game shows {space.shape}")
        if self.free[0] < 0 or self.free[-1] >= space.shape[0]:
            got = ", ".join(map(str, self.free))
            raise BudgetError(f"--free: expected entries 0 to {space.shape[0] - 1}, got {got}")
        return None if len(self.free) == space.shape[0] else torch.as_tensor(self.free)

    def _scale(self, space: Box, deviation: Tensor | None, free: slice | list[int]) -> Tensor:
        if self.space == "raw":
            return torch.ones(1)
        if self.space == "unit":
            if not (space.low[free] == 0).all() or not (space.high[free] == 255).all():
                raise BudgetError(f"--space unit is for pixels in 0..255, this game shows {space}; use --space raw")
            return torch.full((1,), 255.0)
        if deviation is None:
            raise BudgetError("--space sigma needs an agent that ships observation statistics; use --space raw")
        if deviation.shape != space.shape or not ((deviation > 0) & deviation.isfinite() | deviation.isnan()).all():
            raise BudgetError(f"--space sigma: expected a deviation above 0 for each entry of {space.shape}")
        if len(without := np.flatnonzero(deviation.isnan().numpy(force=True)[free])):
            entries = entries_words(np.arange(deviation.numel())[free][without].tolist())
            raise BudgetError(
                f"--space sigma: the agent has no statistics of entries {entries}: leave them out by --keys or --free, "
                "or use --space raw"
            )
        return deviation.float().nan_to_num(1.0)[None]

    def _check_size(self, space: Box, entries: int, scale: Tensor, free: slice | list[int]) -> None:
        if self.grid and space.dtype != np.uint8:
            raise BudgetError(f"--grid is for byte observations, this game shows {space.dtype}")
        low, high = (end[free].astype(np.float64) for end in (space.low, space.high))
        if self.norm == "l0":
            if self.eps is not None and self.eps > entries:
                raise BudgetError(f"--eps: {self.eps:g} pixels asked for, there are {entries}")
            if max(abs(low).max(), abs(high).max()) > _UNBOUNDED:
                raise BudgetError(
                    "--norm l0 sets entries to an end of their range, which not all have here; use pgd --norm linf"
                )
        if self.norm == "l0" or self.eps is None:
            return
        scale = scale if scale.numel() == 1 else scale[:, free]
        smallest, largest = float(scale.min()), float(scale.max())
        most = min((high - low).max() / smallest, _UNBOUNDED / largest)
        if self.eps > most * (1 + 1e-9):
            raise BudgetError(
                f"--eps: {self.eps:g} is more than the whole range of an entry, {most:g} in --space {self.space}"
            )
        if np.float32(_BALLS[self.norm].radius_of(self.eps, entries) * smallest) == 0:
            raise BudgetError(f"--eps: {self.eps:g} is 0 in float32, in which observations are; raise it")
        if self.space == "unit" and _BALLS[self.norm].radius_of(self.eps, entries) < _FINEST:
            raise BudgetError(f"--eps: {self.eps:g} is less than float32 can add to a bright pixel; raise it")
        if self.grid and _BALLS[self.norm].radius_of(self.eps, entries) * largest < 1 - 1e-9:
            raise BudgetError(f"--grid: eps {self.eps:g} is below one grey level, so no byte can change; raise it")
