"""A budget that the steps of a window share: much of it may go into one of them (LAS, Lee et al. 2020, eq. 4)."""

import copy
from typing import Any, ClassVar, Self

import torch
from gymnasium import Space
from gymnasium.spaces import Box
from torch import Tensor

from rlattack.arrays import BoolArray, IntArray, rowwise
from rlattack.budget.change import ends
from rlattack.budget.reach import TOLERANCE, Reach, Sizes, finite
from rlattack.draws import Draws
from rlattack.errors import BudgetError


class Shared(Reach):
    """Changes of actions whose sizes, the largest entry of each, are `radius` on the mean of every window of steps.

    Windows follow one another from the start of an episode: what is left of one is lost. Sizes measured are the part of
    its window's mean that is spent, and the largest entry of the step itself.

    Args:
        radius: The mean size of a step of a window.
        space: One action.
        horizon: Steps of a window.

    Raises:
        BudgetError: Actions that are no numbers within a range.
    """

    kind = "shared"
    names: ClassVar[tuple[str, ...]] = ("shared", "linf")
    remembers: ClassVar[bool] = True

    def __init__(self, radius: float, space: Space[Any], horizon: int = 1) -> None:
        if not isinstance(space, Box) or not space.is_bounded():
            raise BudgetError(f"a shared budget is of actions in a Box with bounds, this game takes {space}")
        self.radius, self.horizon = radius, horizon
        self.low, self.high = ends(space)
        self._spent, self._steps = torch.zeros(0), torch.zeros(0, dtype=torch.int64)

    def left(self, slots: int) -> Tensor:
        """What is left of each slot's window, shape (slots,)."""
        return (self.horizon * self.radius - self._memory(slots)[0]).clamp(min=0)

    def steps_left(self, slots: int) -> Tensor:
        """How many steps each slot's window has left, this one too, int64, shape (slots,)."""
        return self.horizon - self._memory(slots)[1]

    def settle(self, wanted: Tensor, clean: Tensor) -> Tensor:
        """As far as is wanted, and as what is left allows."""
        move = finite(wanted, clean).clamp(self.low, self.high) - clean
        share = (self.left(len(clean)) / _size(move).clamp(min=1e-12)).clamp(max=1)
        return (clean + rowwise(share, move) * move).clamp(self.low, self.high)

    def measure(self, received: Tensor, clean: Tensor) -> Sizes:
        """Sizes of this step, and of its window up to it."""
        move = received - clean.to(received)
        size = _size(move)
        mean = (self._memory(len(move))[0] + size) / self.horizon
        inside = ((received >= self.low) & (received <= self.high)).flatten(1).all(dim=1)
        legal = (mean <= self.radius * (1 + TOLERANCE) + TOLERANCE) & inside
        values = torch.stack([mean, size], dim=1).double().numpy(force=True)
        return Sizes(values, legal.numpy(force=True), (size > 0).numpy(force=True))

    def random(self, clean: Tensor, draws: Draws) -> Tensor:
        """A random direction, as far as the mean goes in every step."""
        return clean + self.radius * draws.signs(*clean.shape[1:]).to(clean.device)

    def see(self, shown: Tensor, received: Tensor, acting: BoolArray) -> None:
        """Counts a step, and begins a window where one is over."""
        spent, steps = self._memory(len(shown))
        rows = torch.as_tensor(acting, device=spent.device)
        spent, steps = spent + rows * _size(received - shown.to(received)), steps + rows
        over = steps >= self.horizon
        self._spent, self._steps = spent.masked_fill(over, 0.0), steps.masked_fill(over, 0)

    def restart(self, slots: IntArray) -> None:
        """Begins windows in these slots."""
        for memory in (self._spent, self._steps):
            memory[slots[slots < len(memory)]] = 0

    def judged(self) -> Self:
        """The same with a memory of its own."""
        return copy.deepcopy(self)

    def _memory(self, slots: int) -> tuple[Tensor, Tensor]:
        """What each slot has spent of its window, and how many steps of it are over."""
        if len(self._spent) != slots:
            self._spent = torch.zeros(slots, device=self.low.device)
            self._steps = torch.zeros(slots, dtype=torch.int64, device=self.low.device)
        return self._spent, self._steps


def _size(move: Tensor) -> Tensor:
    """The largest entry of each row, shape (n,)."""
    return move.flatten(1).abs().amax(dim=1)
