"""FAB, the fast adaptive boundary attack (Croce and Hein 2020, "Minimally distorted adversarial examples", alg. 1).

It goes along the boundary, drawn towards the clean observation; towards a target the boundary is that between it and
what the victim does at that point.
"""

from dataclasses import dataclass
from typing import Annotated, ClassVar

import torch
from torch import Tensor

from rlattack.arrays import rowwise
from rlattack.attacks.boundary import BoundaryConfig, boundaries
from rlattack.attacks.minimal import Minimal, Smallest, Turn
from rlattack.attacks.target import Target
from rlattack.budget import Ball
from rlattack.draws import Draws
from rlattack.policies.distributions import ILLEGAL
from rlattack.policies.policy import Output
from rlattack.specs import Count, Range

_TINY = torch.finfo(torch.float32).tiny


@dataclass(frozen=True, kw_only=True)
class FABConfig(BoundaryConfig):
    """Parameters of `fab`, by default those of the paper but for the steps, of which it takes 100."""

    steps: int = 20
    """Steps a run, each to the boundary if the victim were linear."""
    restarts: Count = 1
    """Runs; all but the first start from a random point half as far away as what was found."""
    pull: Annotated[float, Range(least=0, most=1)] = 0.1
    """Most that the clean observation draws a step to itself, as a share; alpha_max in the paper."""
    overshoot: Annotated[float, Range(least=1, below=2)] = 1.05
    """Length of a step over that to the boundary; eta in the paper."""
    backward: Annotated[float, Range(above=0, below=1)] = 0.9
    """Share of the way from the clean observation at which it goes on when the choice is changed; beta in the paper."""
    halvings: Annotated[int, Range(least=0)] = 3
    """How often the way to what was found is halved in the end."""


class FAB(Minimal[FABConfig]):
    """Looks for the smallest perturbation that changes the victim's choice by steps along the boundary."""

    name = "fab"
    title = "FAB"
    reaches: ClassVar[tuple[str, ...]] = ("linf", "l2", "l1")
    config_type = FABConfig

    def perturb(self, victim: Target, obs: Tensor, reach: Ball, draws: Draws) -> Tensor:
        """Runs as often as it may, and goes from the nearest point that was found towards the clean one."""
        out, best = victim(obs), Smallest(obs, reach)
        turn = self.turn(victim, obs)
        best.offer(obs, turn.done(out))
        searching = victim.active & ~best.found
        for run in range(self.config.restarts if searching.any() else 0):
            start = obs
            if run:
                ray = reach.ray(obs, draws.normal(*obs.shape[1:]))
                start = reach.project(ray(torch.where(best.found, best.size / 2, 0.0)), obs)
            self._run(turn, obs, start, searching, reach, best)
        return best.shortened(victim, turn.done, searching, self.config.halvings)

    def _run(self, turn: Turn, obs: Tensor, point: Tensor, searching: Tensor, reach: Ball, best: Smallest) -> None:
        """Steps to the boundary and, where that changed the choice, back towards the clean observation."""
        config = self.config
        for _ in range(config.steps):
            shown = reach.settle(point, obs)  # on whole bytes it stays behind until steps have added up
            gap, slope = self._nearest(turn, shown, turn.victim(shown, only=searching), searching, reach)
            at_clean = gap + (slope * (obs - shown)).flatten(1).sum(dim=1)
            here, there = _onto(reach, shown, slope, gap), _onto(reach, obs, slope, at_clean)
            ways = reach.size(here), reach.size(there)
            pull = rowwise((ways[0] / (ways[0] + ways[1]).clamp_min(_TINY)).clamp_max(config.pull), obs)
            moved = (1 - pull) * (point + config.overshoot * here) + pull * (obs + config.overshoot * there)
            point = reach.project(moved, obs)
            shown = reach.settle(point, obs)
            turned = turn.done(turn.victim(shown, only=searching)) & searching
            best.offer(shown, turned)
            point = torch.where(rowwise(turned, obs), obs + config.backward * (point - obs), point)

    def _nearest(self, turn: Turn, point: Tensor, out: Output, searching: Tensor, reach: Ball) -> tuple[Tensor, Tensor]:
        """How far the score of the nearest other action is above the present one's, and the slope (eq. 7)."""
        nearest, gap, slope = torch.full((len(point),), torch.inf), torch.zeros(len(point)), torch.zeros_like(point)
        for one, grad in boundaries(turn, point, out, self.config.candidates, searching):
            steep = reach.steepness(grad)
            distance = torch.where((steep > 0) & (one > ILLEGAL / 2), one.abs() / steep, torch.inf)
            nearer = distance < nearest
            gap, slope = torch.where(nearer, one, gap), torch.where(rowwise(nearer, point), grad, slope)
            nearest = torch.minimum(nearest, distance)
        return gap, slope


def _onto(reach: Ball, point: Tensor, slope: Tensor, gap: Tensor) -> Tensor:
    """The shortest step within the range to where a linear gap is 0, from either side (sec. 2.2)."""
    return reach.reaching(point, slope * rowwise(-gap.sign(), point), gap.abs())
