"""DeepFool: the smallest change of what a victim sees that changes what it does (Moosavi-Dezfooli et al. 2016, alg. 2).

Beyond the paper, what the victim sees stays in the range of the game: entries at an end of it are moved no further; and
towards a target each step goes to the boundary between it and what the victim does at that point.
"""

import math
from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

from rlattack.arrays import rowwise
from rlattack.attacks.boundary import BoundaryConfig, boundaries
from rlattack.attacks.minimal import Minimal, Turn
from rlattack.attacks.target import Target
from rlattack.budget import Ball
from rlattack.draws import Draws
from rlattack.errors import InvalidInput
from rlattack.policies.distributions import ILLEGAL
from rlattack.policies.policy import Output


@dataclass(frozen=True, kw_only=True)
class DeepFoolConfig(BoundaryConfig):
    """Parameters of `deepfool`, by default those of the paper and its authors' code."""

    overshoot: float = 0.02
    """By how much of its length a perturbation goes beyond the boundary."""

    def __post_init__(self) -> None:
        super().__post_init__()
        if not 0 <= self.overshoot < math.inf:
            raise InvalidInput(f"deepfool: overshoot is a number of at least 0, got {self.overshoot}")


class DeepFool(Minimal[DeepFoolConfig]):
    """Looks for the smallest perturbation that changes the victim's choice; where it finds none, it does nothing."""

    name = "deepfool"
    title = "DeepFool"
    reaches: ClassVar[tuple[str, ...]] = ("l2", "linf")
    config_type = DeepFoolConfig

    def perturb(self, victim: Target, obs: Tensor, reach: Ball, draws: Draws) -> Tensor:
        """Adds up steps to the boundary until the victim, shown what it would receive, chooses otherwise."""
        adv, total, searching = obs, torch.zeros_like(obs), victim.active
        out = victim(adv, only=searching)
        turn = self.turn(victim, obs)
        for _ in range(self.config.steps):
            searching = searching & ~turn.done(out)
            if not searching.any():
                return adv
            total = total + self._to_boundary(turn, adv, out, searching, reach)
            moved = reach.settle(obs + (1 + self.config.overshoot) * total, obs)
            adv = torch.where(rowwise(searching, obs), moved, adv)
            out = victim(adv, only=searching)
        return torch.where(rowwise(searching & ~turn.done(out), obs), obs, adv)

    def _to_boundary(self, turn: Turn, point: Tensor, out: Output, searching: Tensor, reach: Ball) -> Tensor:
        """The shortest step to where another action scores as high, if scores were linear (eq. 8, 9 and 11)."""
        nearest, shortest = torch.full((len(point),), torch.inf), torch.zeros_like(point)
        for gap, grad in boundaries(turn, point, out, self.config.candidates, searching):
            slope = _inwards(grad, point, reach)
            direction = reach.ascend(torch.zeros_like(point), slope, 1.0)
            gain = (slope * direction).flatten(1).sum(dim=1)  # of a step of length 1: the dual norm of the slope
            distance = torch.where((gain > 0) & (gap > ILLEGAL / 2), gap.abs() / gain, torch.inf)
            shortest = torch.where(rowwise(distance < nearest, point), rowwise(distance, point) * direction, shortest)
            nearest = torch.minimum(nearest, distance)
        return shortest


def _inwards(slope: Tensor, point: Tensor, reach: Ball) -> Tensor:
    """The slope without entries that it would move beyond an end of their range, where they are already."""
    outwards = ((slope > 0) & (point >= reach.high)) | ((slope < 0) & (point <= reach.low))
    return slope.masked_fill(outwards, 0)
