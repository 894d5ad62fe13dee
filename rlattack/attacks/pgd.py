"""Projected gradient descent on observations (Madry et al. 2018, sec. 2.1)."""

from typing import Generic, TypeVar

from torch import Tensor

from rlattack.attacks.ascent import Ascent, SteppedConfig
from rlattack.attacks.objective import Climb
from rlattack.budget import Ball

Config = TypeVar("Config", bound=SteppedConfig)


class PGD(Ascent[Config], Generic[Config]):
    """Ascends the victim's loss inside the budget, `steps` times."""

    name = "pgd"
    title = "PGD"
    config_type = SteppedConfig

    def ascend(self, climb: Climb, obs: Tensor, start: Tensor, reach: Ball) -> Tensor:
        """Steps and projects."""
        config, adv, project = self.config, start, reach.around(obs)
        step = 2.5 / config.steps if config.step is None else config.step / self.budget.size
        for _ in range(config.steps):
            adv = project(reach.ascend(adv, climb.gradient(adv), step * reach.radius))
        return adv
