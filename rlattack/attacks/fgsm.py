"""The fast gradient sign method (Goodfellow et al. 2015, sec. 4; on policies Huang et al. 2017, sec. 3)."""

from typing import ClassVar

from torch import Tensor

from rlattack.attacks.objective import GradientAttack, Objective
from rlattack.attacks.target import Target
from rlattack.budget import Ball
from rlattack.draws import Draws


class FGSM(GradientAttack[Objective]):
    """One step of steepest ascent, as long as the budget: sign (linf), gradient (l2), most sensitive pixels (l1)."""

    name = "fgsm"
    title = "FGSM"
    reaches: ClassVar[tuple[str, ...]] = ("linf", "l2", "l1")

    def perturb(self, victim: Target, obs: Tensor, reach: Ball, draws: Draws) -> Tensor:
        """Climbs once, to the edge of the budget."""
        return reach.ascend(obs, self.config.gradient(victim, obs), reach.radius)
