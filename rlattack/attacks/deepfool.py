"""DeepFool: the smallest change of what a victim sees that changes what it does (Moosavi-Dezfooli et al. 2016, alg. 2).

Beyond the paper, what the victim sees stays in the range of the game: entries at an end of it are moved no further; and
towards a target each step goes to the boundary between it and what the victim does at that point.
"""

from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

from rlattack.arrays import rowwise
from rlattack.attacks.boundary import BoundaryConfig, to_boundary
from rlattack.attacks.minimal import Minimal
from rlattack.attacks.target import Target
from rlattack.budget import Ball
from rlattack.draws import Draws
from rlattack.specs import NotNegative


@dataclass(frozen=True, kw_only=True)
class DeepFoolConfig(BoundaryConfig):
    """Parameters of `deepfool`, by default those of the paper and its authors' code."""

    overshoot: NotNegative = 0.02
    """By how much of its length a perturbation goes beyond the boundary."""


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
            total = total + to_boundary(turn, adv, out, self.config.candidates, searching, reach)
            moved = reach.settle(obs + (1 + self.config.overshoot) * total, obs)
            adv = torch.where(rowwise(searching, obs), moved, adv)
            out = victim(adv, only=searching)
        return torch.where(rowwise(searching & ~turn.done(out), obs), obs, adv)
