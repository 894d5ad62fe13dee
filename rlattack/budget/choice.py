"""What a victim may do in place of what it chose: one of the actions that somebody has found possible there."""

from typing import Any, ClassVar

import torch
from gymnasium import Space
from gymnasium.spaces import Discrete
from torch import Tensor

from rlattack.budget.change import ends
from rlattack.budget.reach import Reach, Sizes
from rlattack.errors import BudgetError


class Choice(Reach):
    """Some of the actions that there are, others in every step.

    What an attack wants is an action and which ones are possible, shape (n, 1 + actions). `measure` holds what was done
    to what was said to be possible when it was settled.

    Args:
        radius: Of what is seen, by which actions are found possible.
        space: One action.

    Raises:
        BudgetError: Actions that are not chosen from a number.
    """

    kind = "possible"
    names: ClassVar[tuple[str, ...]] = ("possible",)

    def __init__(self, radius: float, space: Space[Any]) -> None:
        if not isinstance(space, Discrete):
            raise BudgetError(f"expected actions to choose from, the game takes {space}")
        self.radius = radius
        self.low, self.high = ends(space)
        self._possible: list[Tensor] = [torch.empty(0)]  # a list, since the judge's copy shares it

    def settle(self, wanted: Tensor, clean: Tensor) -> Tensor:
        """The actions that are wanted, where they are possible; else those that were chosen."""
        action, self._possible[0] = wanted[:, 0].long(), wanted[:, 1:] > 0
        return torch.where(self._may(action), action, clean)

    def measure(self, received: Tensor, clean: Tensor) -> Sizes:
        """1 where another action was done, and whether that was possible."""
        clean = clean.to(received)
        changed = received != clean
        legal = (~changed | self._may(received)).numpy(force=True)
        return Sizes(changed[:, None].double().numpy(force=True), legal, changed.numpy(force=True))

    def random(self, clean: Tensor, draws: Any) -> Tensor:
        """None by itself: what is possible depends on what is seen."""
        raise NotImplementedError

    def _may(self, action: Tensor) -> Tensor:
        possible = self._possible[0].to(action.device)
        if len(possible) != len(action):
            return torch.zeros_like(action, dtype=torch.bool)
        return possible.gather(1, action[:, None]).squeeze(1)
