"""When an attack acts."""

from abc import ABC, abstractmethod
from typing import ClassVar

import torch
from torch import Tensor

from rlattack.arrays import IntArray
from rlattack.attacks.target import Knowledge, Target
from rlattack.draws import Draws

__all__ = ["Every", "Schedule"]


class Schedule(ABC):
    """Says in each step which slots are attacked; the others see what the game shows.

    Its questions to the policy are counted as the attack's own, and it draws from streams of its own, so that an attack
    and its control act at the same steps.
    """

    knowledge: ClassVar[Knowledge] = "none"

    @abstractmethod
    def now(self, victim: Target, obs: Tensor, draws: Draws) -> Tensor:
        """Which slots are attacked in this step, bool, shape (slots,).

        Args:
            victim: The policy under attack.
            obs: The observations that an attack would start from, shape (slots, *observation); a copy.
            draws: Random numbers, a stream a slot.
        """

    def restart(self, slots: IntArray) -> None:  # noqa: B027  # most remember nothing
        """Forgets the episodes that ended in these slots."""


class Every(Schedule):
    """Every step."""

    def now(self, victim: Target, obs: Tensor, draws: Draws) -> Tensor:
        """All slots."""
        return torch.ones(victim.slots, dtype=torch.bool)
