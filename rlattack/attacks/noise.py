"""Noise of the same size: the control that every attack is read against (DESIGN rule 7).

It goes as far as `fgsm` or `pixel` of its norm, in a random direction: random signs (linf), a scaled gaussian (l2),
random entries pushed to random ends of their range until the budget is spent (l1), random pixels at random ends (l0).
"""

from typing import ClassVar

from torch import Tensor

from rlattack.attacks.base import Attack, NoParameters
from rlattack.attacks.streams import Streams
from rlattack.attacks.target import Knowledge, Target
from rlattack.budget import Ball

__all__ = ["Noise"]


class Noise(Attack[NoParameters]):
    """A random direction, as far as the budget goes; asks nothing of the victim."""

    name = "noise"
    knowledge: ClassVar[Knowledge] = "none"

    def perturb(self, victim: Target, obs: Tensor, ball: Ball, rng: Streams) -> Tensor:
        """See `Attack`."""
        return ball.random_step(obs, rng)
