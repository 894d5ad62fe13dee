"""Actions in which an adversary has a share: the chosen one and any other, mixed (NR-MDP, Tessler et al. 2019)."""

from typing import Any, ClassVar

import torch
from gymnasium import Space
from gymnasium.spaces import Box
from torch import Tensor

from rlattack.budget.change import ends
from rlattack.budget.reach import TOLERANCE, Reach, Sizes, finite
from rlattack.draws import Draws
from rlattack.errors import BudgetError

_WHOLE = 100.0


class Mix(Reach):
    """All (1 - s) a + s b of the chosen action a and any action b of the range, s up to `radius` per cent.

    Args:
        radius: The largest share of b, in per cent.
        space: One action.

    Raises:
        BudgetError: Actions that are no numbers within a range, or a share above all.
    """

    kind = "mix"
    names: ClassVar[tuple[str, ...]] = ("mix",)

    def __init__(self, radius: float, space: Space[Any]) -> None:
        if not isinstance(space, Box) or not space.is_bounded():
            raise BudgetError(f"mix is of actions in a Box with bounds, this game takes {space}")
        if radius > _WHOLE:
            raise BudgetError(f"--eps: of a mix it is per cent of each action, expected at most 100, got {radius:g}")
        self.radius, self._share = radius, radius / _WHOLE
        self.low, self.high = ends(space)

    def mixed(self, clean: Tensor, other: Tensor) -> Tensor:
        """Gives other actions their share."""
        return clean + self._share * (other.clamp(self.low, self.high) - clean)

    def settle(self, wanted: Tensor, clean: Tensor) -> Tensor:
        """The nearest action of the reach."""
        return finite(wanted, clean).clamp(self.mixed(clean, self.low), self.mixed(clean, self.high))

    def measure(self, received: Tensor, clean: Tensor) -> Sizes:
        """The smallest share, in per cent, that brings about what was done."""
        clean = clean.to(received).double()
        off = received.double() - clean
        room = torch.where(off < 0, clean - self.low, self.high - clean)
        shares = torch.where(off == 0, 0.0, off.abs() / room.clamp(min=1e-9)).flatten(1)
        sizes = _WHOLE * shares.amax(dim=1, keepdim=True).clamp(max=1e6)
        exact = self._share * room + TOLERANCE * (self.high - self.low)  # next to an end no share can be told
        legal = (off.abs() <= exact).flatten(1).all(dim=1) & self._inside(received)
        sizes = torch.where(legal[:, None], sizes.clamp(max=self.radius), sizes)
        changed = (off != 0).flatten(1).any(dim=1)
        return Sizes(sizes.numpy(force=True), legal.numpy(force=True), changed.numpy(force=True))

    def random(self, clean: Tensor, draws: Draws) -> Tensor:
        """A random end of the range, at its share."""
        up = draws.signs(*clean.shape[1:]).to(clean.device) > 0
        return self.mixed(clean, torch.where(up, self.high, self.low))

    def _inside(self, received: Tensor) -> Tensor:
        return ((received >= self.low) & (received <= self.high)).flatten(1).all(dim=1)
