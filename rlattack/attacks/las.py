"""LAS, the attack on actions whose budget a window of steps shares (Lee et al. 2020, alg. 2).

In each step what is left of the window is planned anew: changes of its actions climb, as those of `mas`, in the states
that the victim and the changes before lead to, and are projected to what is left of the budget; the first is done.
Where that leads is not a model's say but that of forks of the running game, in which the plans are played too: of those
made in a step, and of those that give a single step of the window all that is left, one way or the other, the one after
which the victim earns least is followed.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, Any, ClassVar

import numpy as np
import torch
from gymnasium import Space
from torch import Tensor

from rlattack.arrays import rowwise
from rlattack.attacks.action import ActionAttack, Certify
from rlattack.attacks.mas import worse
from rlattack.attacks.target import Target
from rlattack.budget import Budget, Reach, Shared
from rlattack.draws import Draws
from rlattack.policies.distributions import Actions
from rlattack.policies.policy import Policy
from rlattack.specs import Count, Range

_NEAR = 1e-3
"""Part of the budget at which changes start: who acts greedily has no slope at the chosen action."""


@dataclass(frozen=True, kw_only=True)
class LASConfig:
    """Parameters of `las`."""

    horizon: Annotated[int, Range(least=1, most=100)] = 5
    """Steps of a window, which share `horizon` times eps."""
    steps: Count = 3
    """Plans that are made in each step, each by a gradient a step of the window."""
    after: Annotated[int, Range(least=0, most=1000)] = 15
    """Steps of the victim's own play after the window, by which plans are compared too."""


class LAS(ActionAttack[LASConfig]):
    """Spends the budget of a window of steps where that does most harm, by looking ahead in the game itself."""

    name = "las"
    title = "LAS"
    reaches: ClassVar[tuple[str, ...]] = ("shared",)
    foresees: ClassVar[bool] = True
    config_type: ClassVar[type[Any]] = LASConfig

    def reach_of(
        self, policy: Policy, action: Space[Any], budget: Budget, seen: Space[Any] | None, certify: Certify | None
    ) -> Reach:
        """Windows of so many steps."""
        return Shared(budget.size, action, self.config.horizon)

    def act(  # type: ignore[override]  # declared in `reaches`: never a ball
        self, victim: Target, obs: Tensor, action: Tensor, reach: Shared, draws: Draws
    ) -> Tensor:
        """The first change of the best plan."""
        slots = victim.active.nonzero()[:, 0]
        left, room = reach.left(len(obs)), reach.steps_left(len(obs))
        steps = int(room[slots].max())
        going = (torch.arange(steps, device=action.device) < room[:, None])[..., None]  # which steps are of the window
        change = _NEAR * left[:, None, None] * draws.signs(steps, *action.shape[1:]).to(action) * going
        tried = self._tried(victim, obs, action, None, slots, steps)
        best, least = self._at_once(victim, tried, change, reach, slots)
        for _ in range(self.config.steps):
            slopes = tried.worse(victim, change) * going
            lengths = rowwise(slopes.flatten(1).norm(dim=1), slopes).clamp(1e-12)
            climbed = change + rowwise(left, slopes) * slopes / lengths
            wanted = (tried.own + climbed).clamp(reach.low, reach.high) - tried.own
            plan = (tried.own + _projected(wanted, left) * going).clamp(reach.low, reach.high)
            change = plan - tried.own
            tried = self._tried(victim, obs, action, plan, slots, steps)
            better = tried.earned <= least
            best = torch.where(better[:, None], plan[:, 0], best)
            least = torch.where(better, tried.earned, least)
        return best

    def _at_once(
        self, victim: Target, clean: "_Tried", change: Tensor, reach: Shared, slots: Tensor
    ) -> tuple[Tensor, Tensor]:
        """What is done now by the best plan of one step that has all that is left, and what the victim earns then."""
        steps, places = change.shape[1], slots.numpy(force=True)
        left, room = reach.left(len(change)), reach.steps_left(len(change))
        ends = rowwise(left, change) * clean.worse(victim, change).sign()
        alone = torch.eye(steps, device=change.device)[None, ..., None]
        # (slots, which step and way, steps, entries)
        plans = clean.own[:, None] + torch.cat([alone * ends[:, None], -alone * ends[:, None]], dim=1)
        plans = plans[slots].clamp(reach.low, reach.high)
        many = plans.flatten(0, 1).numpy(force=True)
        ahead = victim.ahead(np.repeat(places, 2 * steps), many, steps + self.config.after)
        earned = torch.as_tensor(ahead.returns, device=change.device).view(len(places), 2 * steps)
        late = torch.arange(2 * steps, device=change.device) % steps >= room[slots, None]
        earned = earned.masked_fill(late, torch.inf)
        found, first = clean.earned.clone(), clean.own[:, 0].clone()
        found[slots], which = earned.min(dim=1)
        first[slots] = plans[torch.arange(len(places)), which, 0]
        return first, found

    def _tried(
        self, victim: Target, obs: Tensor, action: Tensor, plan: Tensor | None, slots: Tensor, steps: int
    ) -> "_Tried":
        """Plays a plan, or the victim's own actions, and what follows."""
        places = slots.numpy(force=True)
        plans = np.zeros((len(places), 0, *action.shape[1:])) if plan is None else plan[slots].numpy(force=True)
        ahead = victim.ahead(places, plans, steps + self.config.after, path=steps)
        path = obs[:, None].repeat(1, steps, *[1] * (obs.ndim - 1))
        path[slots] = ahead.path.to(path)
        said = [victim.clean_output.actions, *(victim(path[:, at]).actions for at in range(1, steps))]
        own = torch.stack([action, *(one.greedy.to(action) for one in said[1:])], dim=1)
        earned = torch.full((len(obs),), torch.inf, dtype=torch.float64, device=action.device)
        earned[slots] = torch.as_tensor(ahead.returns, device=action.device)
        return _Tried(path, said, own, earned)


@dataclass(frozen=True)
class _Tried:
    """What came of a plan.

    Attributes:
        path: What the victim sees in its steps, shape (slots, steps, *observation).
        said: What it says there.
        own: What it would do there, shape (slots, steps, entries).
        earned: What it earns in them and after, shape (slots,).
    """

    path: Tensor
    said: Sequence[Actions]
    own: Tensor
    earned: Tensor

    def worse(self, victim: Target, change: Tensor) -> Tensor:
        """The ways in which actions that are changed so become worse, shape (slots, steps, entries)."""
        ways = [
            worse(victim, self.path[:, at], self.own[:, at] + change[:, at], said) for at, said in enumerate(self.said)
        ]
        return torch.stack(ways, dim=1)


def _projected(change: Tensor, left: Tensor) -> Tensor:
    """Changes of windows whose sizes, the largest entry a step, sum to what is left: the nearest in sizes."""
    sizes = change.flatten(2).abs().amax(dim=2)
    falling = sizes.sort(dim=1, descending=True).values
    above = (falling.cumsum(dim=1) - left[:, None]) / torch.arange(1, sizes.shape[1] + 1, device=sizes.device)
    cut = above.gather(1, ((falling > above).sum(dim=1, keepdim=True) - 1).clamp(min=0)).clamp(min=0)
    shrunk = (sizes - cut).clamp(min=0) / sizes.clamp(min=1e-12)
    return change * shrunk.view(*sizes.shape, *[1] * (change.ndim - 2))
