"""A few pixels of the newest frame, chosen by the first-order gain of setting each to an end of its range.

The gain of a pixel is its slope times the way to that end (the saliency of Papernot et al. 2016 on one channel, at full
amplitude); the k largest are set. Sets as few pixels as Qu et al. 2020 without their queries.
"""

from typing import ClassVar

from torch import Tensor

from rlattack.attacks.objective import GradientAttack, Objective
from rlattack.attacks.target import Target
from rlattack.budget import Ball
from rlattack.draws import Draws


class Pixel(GradientAttack[Objective]):
    """Sets the k pixels of highest first-order gain to black or white; one gradient a step."""

    name = "pixel"
    reaches: ClassVar[tuple[str, ...]] = ("l0",)

    def perturb(self, victim: Target, obs: Tensor, reach: Ball, draws: Draws) -> Tensor:
        """Climbs once, by as many pixels as it may."""
        return reach.ascend(obs, self.climb(victim, obs, draws).gradient(obs), reach.radius)
