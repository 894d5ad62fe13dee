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
    """Starts from a random point of the budget (Wong et al. 2020, alg. 3), where `mad` has a slope; the step is then
    twice as long, so that it reaches the edge from wherever it starts."""


class FGSM(GradientAttack[FGSMConfig]):
    """One step of steepest ascent, as long as the budget: sign (linf), gradient (l2), most sensitive pixels (l1)."""

    name = "fgsm"
    title = "FGSM"
    reaches: ClassVar[tuple[str, ...]] = ("linf", "l2", "l1")
    config_type = FGSMConfig

    @property
    def starts_clean(self) -> bool:
        """Whether its gradient is at the clean observation, where a divergence has no slope."""
        return not self.config.random_start

    def perturb(self, victim: Target, obs: Tensor, reach: Ball, draws: Draws) -> Tensor:
        """Climbs once, to the edge of the budget."""
        if self.config.random_start:
            start = reach.random_point(obs, draws)
            return reach.ascend(start, self.config.gradient(victim, start), 2 * reach.radius)
        return reach.ascend(obs, self.config.gradient(victim, obs), reach.radius)
