"""The fast gradient sign method (Goodfellow et al. 2015, sec. 4; on policies Huang et al. 2017, sec. 3)."""

from dataclasses import dataclass
from typing import ClassVar

from torch import Tensor

from rlattack.attacks.objective import GradientAttack, Objective
from rlattack.attacks.target import Target
from rlattack.budget import Ball
from rlattack.draws import Draws


@dataclass(frozen=True, kw_only=True)
class FGSMConfig(Objective):
    """Parameters of `fgsm`."""

    random_start: bool = False
    """Takes the slope at a random point of the budget, where `mad` has one; the step is from the clean one."""


class FGSM(GradientAttack[FGSMConfig]):
    """One step of steepest ascent, as long as the budget: sign (linf), gradient (l2), most sensitive pixels (l1)."""

    name = "fgsm"
    title = "FGSM"
    reaches: ClassVar[tuple[str, ...]] = ("linf", "l2", "l1")
    config_type = FGSMConfig

    @property
    def starts_clean(self) -> bool:
        """Whether its slope is that at the clean observation, where a divergence has no slope."""
        return not self.config.random_start

    def perturb(self, victim: Target, obs: Tensor, reach: Ball, draws: Draws) -> Tensor:
        """Climbs once, to the edge of the budget."""
        point = reach.random_point(obs, draws) if self.config.random_start else obs
        return reach.ascend(obs, self.climb(victim, obs, draws).gradient(point), reach.radius)
