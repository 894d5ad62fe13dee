"""Another action of the same size, at random: the control of attacks on what a victim does."""

from typing import ClassVar

from torch import Tensor

from rlattack.attacks.action import ActionAttack
from rlattack.attacks.target import Knowledge, Target
from rlattack.budget import Ball
from rlattack.draws import Draws
from rlattack.specs import NoParameters


class ActionNoise(ActionAttack[NoParameters]):
    """A random direction from the chosen action, as far as the budget goes."""

    name = "action-noise"
    knowledge: ClassVar[Knowledge] = "none"
    is_control: ClassVar[bool] = True

    def act(self, victim: Target, obs: Tensor, action: Tensor, reach: Ball, draws: Draws) -> Tensor:
        """Goes as far as the reach, wherever."""
        return reach.random(action, draws)
