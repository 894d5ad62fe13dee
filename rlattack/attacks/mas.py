"""MAS, the myopic attack on actions (Lee et al. 2020, alg. 1): in each step the worst one within a size.

The worst action is the one that the victim's own critic values least, where it has one that looks at actions. Else it
is the one that the victim itself would take least likely.
"""

from dataclasses import dataclass

import torch
from torch import Tensor

from rlattack.attacks.action import ActionAttack
from rlattack.attacks.target import Target
from rlattack.budget import Ball
from rlattack.draws import Draws
from rlattack.policies.distributions import Actions, Normal, Point, SquashedNormal
from rlattack.specs import Count

_NEAR = 1e-3
"""Part of the budget at which it starts from the chosen action: who acts greedily has no slope at that action."""


@dataclass(frozen=True, kw_only=True)
class MASConfig:
    """Parameters of `mas`."""

    steps: Count = 10
    """Gradient steps an action, at least 1; each of 2.5 / steps of the budget."""


class MAS(ActionAttack[MASConfig]):
    """Descends the victim's own estimate of an action inside the budget, `steps` times."""

    name = "mas"
    title = "MAS"
    config_type = MASConfig

    def act(self, victim: Target, obs: Tensor, action: Tensor, reach: Ball, draws: Draws) -> Tensor:
        """Projected gradient descent from a point next to the chosen action."""
        adv = action + _NEAR * (reach.random_point(action, draws) - action)
        for _ in range(self.config.steps):
            way = worse(victim, obs, adv)
            adv = reach.project(reach.ascend(adv, way, 2.5 / self.config.steps * reach.radius), action)
        return adv


def worse(victim: Target, obs: Tensor, action: Tensor, said: Actions | None = None) -> Tensor:
    """The direction in which actions become worse, by the victim's critic or else by its distribution there.

    Args:
        victim: Whose critic and distribution they are.
        obs: What it sees, shape (slots, *observation).
        action: Continuous actions, shape (slots, entries).
        said: What it says of that, where that is known; by default what it says of the clean observations.

    Returns:
        A slope of that shape.
    """
    slope = victim.value_gradient(obs, action)
    if slope is not None:
        return -slope
    actions = victim.clean_output.actions if said is None else said
    assert isinstance(actions, Normal | SquashedNormal | Point), "declared in `needs`"
    point = action.detach().requires_grad_(True)
    with torch.enable_grad():
        (unlikely,) = torch.autograd.grad(actions.surprise(point).sum(), point)
    return unlikely
