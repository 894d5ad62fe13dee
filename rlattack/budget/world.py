"""Worlds that behave otherwise: a box of numbers around those of the usual one, in per cent of the way to its ends."""

from collections.abc import Sequence
from typing import ClassVar

import torch
from torch import Tensor

from rlattack.budget.reach import TOLERANCE, Reach, Sizes, finite
from rlattack.draws import Draws
from rlattack.errors import BudgetError

_WHOLE = 100.0
_BEYOND = 1e6
"""Size of what goes where the box does not go at all."""


class World(Reach):
    """A box of numbers that say how a world behaves; all of them count at once, by the one that goes furthest.

    Things are worlds, float64, shape (n, numbers), and the clean one is `usual`.

    Args:
        radius: Per cent of the way from the usual world to the ends of the box.
        low: The least value of each number, at most the usual one.
        high: The largest value, at least the usual one.
        usual: Those of the world as it is.

    Raises:
        BudgetError: More than the whole box.
    """

    kind = "world"
    names: ClassVar[tuple[str, ...]] = ("world",)

    def __init__(self, radius: float, low: Sequence[float], high: Sequence[float], usual: Sequence[float]) -> None:
        if radius > _WHOLE * (1 + TOLERANCE):
            raise BudgetError(f"--eps: of a world it is per cent of the box, expected at most 100, got {radius:g}")
        self.radius = radius
        self.usual, low_end, high_end = (
            torch.as_tensor([ends], dtype=torch.float64, device="cpu") for ends in (usual, low, high)
        )
        self._down, self._up = self.usual - low_end, high_end - self.usual
        share = radius / _WHOLE
        self._least, self._most = self.usual - share * self._down, self.usual + share * self._up

    def place(self, way: Tensor) -> Tensor:
        """Worlds by where they are between the ends of the reach: -1 to 1 each, shape (n, numbers)."""
        return self._least + (way.double().cpu().clamp(-1, 1) + 1) / 2 * (self._most - self._least)

    def settle(self, wanted: Tensor, clean: Tensor) -> Tensor:
        """The nearest world of the reach, in numbers that float32 holds: so that what an engine made of it tells it."""
        wanted = finite(wanted.double().cpu(), clean)
        return wanted.clamp(self._least, self._most).float().double()

    def measure(self, received: Tensor, clean: Tensor) -> Sizes:
        """How far worlds go, in per cent of the box, and whether that is allowed."""
        off = received.double().cpu() - clean
        side = torch.where(off < 0, self._down, self._up)
        shares = torch.where(off == 0, 0.0, torch.where(side > 0, _WHOLE * off.abs() / side, _BEYOND))
        sizes = shares.amax(dim=1, keepdim=True)
        legal = sizes[:, 0] <= self.radius * (1 + TOLERANCE) + TOLERANCE
        return Sizes(sizes.numpy(), legal.numpy(), (off != 0).any(dim=1).numpy())

    def random(self, clean: Tensor, draws: Draws) -> Tensor:
        """Any world of the reach, each number by itself."""
        return self.place(2 * draws.uniform(self.usual.shape[1]) - 1)
