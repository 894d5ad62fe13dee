"""Auto-PGD, which finds the length of its steps itself (Croce and Hein 2020, "Reliable evaluation", alg. 1)."""

from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

from rlattack.arrays import rowwise
from rlattack.attacks.ascent import Ascent, AscentConfig
from rlattack.attacks.objective import Climb
from rlattack.budget import Ball

_FIRST, _LEAST, _LESS = 22, 6, 3
"""Percent of the steps before the first checkpoint, least between two, and by how much each period is shorter."""
_RISING = 0.75
"""Share of the steps since the last checkpoint that must have raised the loss, rho in the paper."""
_NEW = 0.75
"""Weight of the new step beside the last one, alpha in the paper."""


@dataclass(frozen=True, kw_only=True)
class APGDConfig(AscentConfig):
    """Parameters of `apgd`, by default those of the paper; it has none of a step."""

    steps: int = 100
    """Gradient steps an observation and restart."""


class APGD(Ascent[APGDConfig]):
    """Ascends with momentum; the step of each slot is halved, and goes on from its best point, when it gets nowhere."""

    name = "apgd"
    title = "APGD"
    reaches: ClassVar[tuple[str, ...]] = ("linf", "l2")
    config_type = APGDConfig

    def ascend(self, climb: Climb, obs: Tensor, start: Tensor, reach: Ball) -> Tensor:
        """Steps of twice the budget at first, halved at the checkpoints of the paper by the rule of the paper."""
        project, nowhere, checks = reach.around(obs), torch.zeros_like(obs), _checkpoints(self.config.steps)
        point = before = best = start
        grad, loss = climb.both(point)
        slope, highest = grad, loss
        size = torch.full((len(obs),), 2.0)
        rising, since = torch.zeros(len(obs)), 0
        size_then, highest_then = size, highest
        for step in range(self.config.steps):
            stepped = project(point + rowwise(size, obs) * reach.ascend(nowhere, grad, reach.radius))
            if step:
                stepped = project(point + _NEW * (stepped - point) + (1 - _NEW) * (point - before))
            before, point, last = point, stepped, loss
            if step == self.config.steps - 1:  # a gradient that nothing would follow
                return torch.where(rowwise(climb.rows(point) > highest, obs), point, best)
            grad, loss = climb.both(point)
            better = loss > highest
            best, slope = (torch.where(rowwise(better, obs), a, b) for a, b in ((point, best), (grad, slope)))
            highest = torch.maximum(loss, highest)
            rising, since = rising + (loss > last), since + 1
            if step + 1 in checks:
                stuck = (size == size_then) & (highest == highest_then)
                size_then, highest_then = size, highest
                halved = stuck | (rising < _RISING * since)
                size = torch.where(halved, size / 2, size)
                point, grad = (torch.where(rowwise(halved, obs), a, b) for a, b in ((best, point), (slope, grad)))
                loss = torch.where(halved, highest, loss)
                rising, since = torch.zeros(len(obs)), 0
        raise AssertionError("a run has at least one step")


def _checkpoints(steps: int) -> set[int]:
    """The numbers of steps after which lengths are looked at (sec. 3.2)."""
    found, share, period = set(), _FIRST, _FIRST
    while share < 100:
        found.add(-(-share * steps // 100))
        period = max(period - _LESS, _LEAST)
        share += period
    return found
