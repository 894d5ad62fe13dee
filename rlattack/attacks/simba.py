"""SimBA: single entries, one after the other, kept where they help (Guo et al. 2019, alg. 1).

Where the paper stops at an l2 distance that it does not choose, here a point is projected onto the budget.
"""

from dataclasses import dataclass

import torch
from torch import Tensor

from rlattack.attacks.objective import Climb
from rlattack.attacks.query import Best, QueryAttack, QueryConfig
from rlattack.budget import Ball
from rlattack.draws import Draws
from rlattack.specs import Count, Positive


@dataclass(frozen=True, kw_only=True)
class SimBAConfig(QueryConfig):
    """Parameters of `simba`."""

    step: Positive = 1.0
    """How far an entry is moved, as a part of the largest way that the budget allows one entry."""
    group: Count = 1
    """Neighbouring entries that move together, which moves more of what is seen with as many questions."""


class SimBA(QueryAttack[SimBAConfig]):
    """Tries both signs of a random basis of entries, in random order, and keeps what raises the loss."""

    name = "simba"
    title = "SimBA"
    config_type = SimBAConfig

    def search(self, climb: Climb, obs: Tensor, reach: Ball, draws: Draws) -> Tensor:
        """Adds an entry, else takes it away, else leaves it."""
        config, best = self.config, Best(climb, reach, obs)
        groups = -(-reach.entries // config.group)
        order = draws.uniform(groups).argsort(dim=1)
        of_group = torch.arange(reach.entries) // config.group
        length = config.step * reach.radius
        number = 0
        while best.spent < config.queries:
            chosen = (of_group == order[:, number % groups, None]).float()
            way = reach.spread(chosen * length)
            improved = best.offer(best.point + way)
            if best.spent < config.queries:
                back = torch.where(improved.view(-1, *[1] * (obs.ndim - 1)), 0.0, 1.0)
                best.offer(best.point - back * way)
            number += 1
        return best.point
