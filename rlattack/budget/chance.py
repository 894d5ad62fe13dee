"""Actions that somebody else decides where chance says so (PR-MDP, Tessler et al. 2019)."""

import torch
from torch import Tensor

from rlattack.budget.slip import Slip
from rlattack.draws import Draws


class Chance(Slip):
    """Does an action that an adversary says in place of the chosen one, so often in per cent of the steps."""

    kind = "chance"

    def struck(self, drawn: Tensor) -> Tensor:
        """Where chance says so, by a number from 0 to 1 a row: bool, shape (n,)."""
        return drawn < self.radius / 100

    def replaced(self, drawn: Tensor, other: Tensor) -> Tensor:
        """What `settle` takes.

        Args:
            drawn: A number from 0 to 1 a row, shape (n,).
            other: The adversary's actions, shape (n, *action).
        """
        rows = other.reshape(len(other), -1).double()
        low, high = (end.reshape(1, -1).double() for end in (self.low, self.high))
        told = (rows - low) / (high - low) if self._continuous else (rows + 0.5) / (high + 1)
        severities = torch.full_like(drawn, self.radius)
        return self.wanted(severities, torch.cat([drawn[:, None], told.float().to(drawn.device)], dim=1))

    def random(self, clean: Tensor, draws: Draws) -> Tensor:
        """Any action, as often as is allowed."""
        return self.wanted(torch.full((len(clean),), self.radius), draws.uniform(self.numbers))
